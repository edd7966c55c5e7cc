const maxFrameBytes = 1024 * 1024; // the engine's frames hold one line or one buffer each, so more is nonsense

/** A piece of what a container or a command in it has printed. */
export interface Frame {
  stream: "out" | "err";
  payload: Buffer;
}

/** The engine's multiplexed stream: eight bytes of header (stream, length), then the payload. Read no faster than taken. */
export async function* frames(stream: NodeJS.ReadableStream): AsyncGenerator<Frame> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    while (rest.length >= 8) {
      const bytes = rest.readUInt32BE(4);
      if (bytes > maxFrameBytes) throw new Error(`a frame of ${bytes} bytes`);
      if (rest.length < 8 + bytes) break;
      yield { stream: rest[0] === 2 ? "err" : "out", payload: rest.subarray(8, 8 + bytes) };
      rest = rest.subarray(8 + bytes);
    }
  }
}
