/** Servers on the loopback that are not what a target says: one leads to another database, one says nothing. */
import type { ExecutionContext } from 'ava';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

async function listen(t: ExecutionContext, onClient: (client: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    sockets.add(client.on('error', () => undefined));
    onClient(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/**
 * Like an alias, a pooler or a DNS entry that leads elsewhere: whoever asks for one database gets another.
 * @returns the port
 */
export function leadElsewhere(t: ExecutionContext, port: number, database: string): Promise<number> {
  return listen(t, (client) => {
    const upstream = connect({ host: '127.0.0.1', port }).on('error', () => client.destroy());
    client.on('close', () => upstream.destroy());
    client.once('data', (startup: Buffer) => {
      upstream.write(withDatabase(startup, database));
      client.pipe(upstream);
      upstream.pipe(client);
    });
  });
}

/** The startup packet: length, version, then name and value pairs, each ended by a zero byte, and one zero more. */
function withDatabase(startup: Buffer, database: string): Buffer {
  const words = startup.subarray(8, -1).toString('utf8').split('\0');
  words[words.indexOf('database') + 1] = database;
  const body = Buffer.from(`${words.join('\0')}\0`, 'utf8');
  const head = Buffer.from(startup.subarray(0, 8));
  head.writeInt32BE(head.length + body.length, 0);
  return Buffer.concat([head, body]);
}

/** Accepts and says nothing. @returns the port */
export function staySilent(t: ExecutionContext): Promise<number> {
  return listen(t, () => undefined);
}
