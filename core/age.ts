import { armor, Decrypter, Encrypter, generateIdentity, identityToRecipient } from "age-encryption";

/** What came of opening a sealed text. */
export type Opened =
  | { kind: "opened"; plain: Uint8Array }
  /** None of the keys is one it was sealed to. */
  | { kind: "other key" }
  /** It is no age file, or it is not as it was sealed. */
  | { kind: "damaged" };

/** A new X25519 key pair: the private key, `AGE-SECRET-KEY-1...`. */
export function newPrivateKey(): Promise<string> {
  return generateIdentity();
}

/** The public key, `age1...`, of a private one. Throws where it is none. */
export function publicKeyOf(privateKey: string): Promise<string> {
  return identityToRecipient(privateKey);
}

/** What a public key looks like; whether it is one shows when something is sealed to it. */
export const publicKeyPattern = /^age1[02-9ac-hj-np-z]{58}$/;

const armourBegin = "-----BEGIN AGE ENCRYPTED FILE-----";
const armourEnd = "-----END AGE ENCRYPTED FILE-----";

/** Encrypts to one public key: an age file, armoured. Two sealings of the same text differ. */
export async function seal(publicKey: string, plain: Uint8Array): Promise<string> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(publicKey);
  return armor.encode(await encrypter.encrypt(plain));
}

/** The age file in its armoured form, whichever of the two forms it has; `undefined` for what is none. */
export function armoured(file: Uint8Array): string | undefined {
  const text = Buffer.from(file).toString("latin1").trim();
  if (text.startsWith("age-encryption.org/v1\n")) return armor.encode(file);
  return text.startsWith(armourBegin) && text.endsWith(armourEnd) ? `${text}\n` : undefined;
}

/** Opens an armoured age file with whichever of the private keys it was sealed to. Never throws. */
export async function unseal(privateKeys: readonly string[], sealedText: string): Promise<Opened> {
  let file: Uint8Array;
  try {
    file = armor.decode(sealedText);
  } catch {
    return { kind: "damaged" };
  }
  let noneFits = false;
  const decrypter = new Decrypter();
  for (const privateKey of privateKeys) decrypter.addIdentity(privateKey);
  decrypter.addIdentity({
    // asked only when no key before it has fitted
    unwrapFileKey: () => {
      noneFits = true;
      return null;
    },
  });
  try {
    return { kind: "opened", plain: await decrypter.decrypt(file) };
  } catch {
    return { kind: noneFits ? "other key" : "damaged" };
  }
}
