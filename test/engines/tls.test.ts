/** TLS to a real server, with its own certificate. A server that has none is told by name and not tried. */
import test, { type ExecutionContext } from 'ava';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { checkServerIdentity, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { ToolkitError } from '../../lib/errors';
import { close } from '../../lib/engines/mssql-client';
import { mssqlLane, mssqlUrl, open, openMssql, retarget, type Scratch } from '../helpers/lanes';
import { run } from '../helpers/script';

/** The client's name, which a login carries as it is (LOGIN7, UTF-16). */
const IN_A_LOGIN = Buffer.from('canvas-host-toolkit', 'utf16le');

if (mssqlUrl === undefined) {
  test.skip('SQL Server lane: skipped, TEST_MSSQL_URL is not set', () => undefined);
} else {
  const { hostname, port } = new URL(mssqlUrl);

  test.serial('mssql: a certificate that nobody vouches for is refused, and no login is sent', async (t) => {
    if ((await certificates()).length === 0) return skip(t);
    const { scratch, sent } = await listenedTo(t, hostname, Number(port || 1433));
    const error = await t.throwsAsync(openedBy(retarget(scratch, { encrypt: true })), { instanceOf: ToolkitError });
    t.is(error.code, 'CONFIG');
    t.regex(error.message, /could not be made safe with TLS/);
    t.regex(error.why, /(SELF_SIGNED|UNABLE_TO_)/);
    t.regex(error.hint, /"ca": "file\.pem"/);
    t.false(sent().includes(IN_A_LOGIN));
  });

  test.serial('mssql: with its authority named in the target, the login is encrypted and the certificate must be for that server', async (t) => {
    const [own, ...issuers] = await certificates();
    if (own === undefined) return skip(t);
    const { scratch, sent } = await listenedTo(t, hostname, Number(port || 1433));
    const ca = join(scratch.folder, 'authority.pem');
    writeFileSync(ca, pemOf(issuers.at(-1) ?? own));
    const trusted = retarget(scratch, { encrypt: true, ca });
    if (checkServerIdentity(hostname, own) === undefined) {
      await openedBy(trusted);
    } else {
      const error = await t.throwsAsync(openedBy(trusted), { instanceOf: ToolkitError });
      t.regex(error.why, /ERR_TLS_CERT_ALTNAME_INVALID/);
      await openedBy(retarget(scratch, { encrypt: true, trustServerCertificate: true }));
    }
    t.false(sent().includes(IN_A_LOGIN));
    await openedBy(scratch);
    t.true(sent().includes(IN_A_LOGIN), 'without TLS it is there to be read');
  });

  test.serial('mssql: a server that is named by its address is dialled with TLS, and stderr has no word of Node\'s', async (t) => {
    if ((await certificates()).length === 0) return skip(t);
    const scratch = retarget(await mssqlLane.ready(t), { server: '127.0.0.1', encrypt: true, trustServerCertificate: true });
    const { code, stderr } = await run(scratch, 'list', ['15']);
    t.is(code, 0, stderr);
    t.notRegex(stderr, /Warning/);
  });
}

function skip(t: ExecutionContext): void {
  t.log('skipped: the server offers no TLS');
  t.pass();
}

const openedBy = (scratch: Scratch) => open(scratch, ({ canvas }) => canvas.ask('SELECT 1 AS "one"'));

/** The server's certificate, then those of who issued it, as far as the server sends them; none where it has no TLS. */
async function certificates(): Promise<DetailedPeerCertificate[]> {
  const connection = await openMssql(undefined, true).catch((error: Error & { code?: string }) => {
    if (error.code === 'EENCRYPT') return undefined;
    throw error;
  });
  if (connection === undefined) return [];
  const { securePair } = (connection as unknown as { messageIo: { securePair: { cleartext: TLSSocket } } }).messageIo;
  const chain = [securePair.cleartext.getPeerCertificate(true)];
  for (let next = chain[0]?.issuerCertificate; next !== undefined && !chain.includes(next); next = next.issuerCertificate) {
    chain.push(next);
  }
  await close(connection);
  return chain;
}

function pemOf({ raw }: DetailedPeerCertificate): string {
  return `-----BEGIN CERTIFICATE-----\n${raw.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}

/** A fresh target that is reached through a port where everything that is sent is heard. */
async function listenedTo(t: ExecutionContext, host: string, port: number) {
  const heard: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ host, port });
    // A refusal is a broken connection.
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => undefined));
    client.on('data', (data) => heard.push(data)).pipe(upstream).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const scratch = retarget(await mssqlLane.bare(t), { port: (server.address() as AddressInfo).port });
  return { scratch, sent: () => Buffer.concat(heard) };
}
