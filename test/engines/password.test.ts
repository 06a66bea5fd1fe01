/** Without TLS the password stays on this machine: what a name or a server leads away hears nothing of it. */
import test from 'ava';
import { once } from 'node:events';
import { createServer, Socket, type AddressInfo } from 'node:net';
import { ToolkitError } from '../../lib/errors';
import { open, targetAt } from '../helpers/lanes';
import { startResponder } from '../helpers/tds-responder';

/**
 * As if whatever is dialled were elsewhere: the suite itself never leaves the loopback. `remoteAddress` cannot be
 * redefined; this is what Node's own getter asks.
 */
function pretendElsewhere(): () => void {
  const sockets = Socket.prototype as unknown as { _getpeername: () => object };
  const { _getpeername: own } = sockets;
  sockets._getpeername = () => ({ address: '192.0.2.1', family: 'IPv4', port: 1 });
  return () => void (sockets._getpeername = own);
}

test.serial('mssql: a connection that left the machine gets no login', async (t) => {
  const server = await startResponder(t);
  t.teardown(pretendElsewhere());
  const error = await t.throwsAsync(open(targetAt(t, server.port, 'mssql'), () => Promise.resolve()), { instanceOf: ToolkitError });
  t.is(error.code, 'GUARD_IDENTITY');
  t.deepEqual(server.heard.filter(({ kind }) => kind === 'login'), []);
});

test.serial('postgres: a server elsewhere that asks for the password does not get it', async (t) => {
  const heard: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined).once('data', () => {
      socket.on('data', (data) => heard.push(data));
      // AuthenticationCleartextPassword
      socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  t.teardown(pretendElsewhere());
  const { port } = server.address() as AddressInfo;
  const error = await t.throwsAsync(open(targetAt(t, port, 'postgres'), () => Promise.resolve()), { instanceOf: ToolkitError });
  t.is(error.code, 'GUARD_IDENTITY');
  // 'p' is the message that carries a password.
  t.deepEqual(heard.filter(([type]) => type === 0x70), []);
});
