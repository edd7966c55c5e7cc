import { open } from "node:fs/promises";
import { createServer } from "node:http";

// What a webhook costs at the very least: read the body, append it to a file, flush that, answer. No checks at all.

const [port = "0", file = "journal"] = process.argv.slice(2);
const journal = await open(file, "a");
const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  await journal.appendFile(Buffer.concat([...chunks, Buffer.from("\n")]));
  await journal.datasync();
  response.writeHead(202).end();
});
server.listen(Number(port), "127.0.0.1");
process.once("SIGTERM", () => process.exit(0));
