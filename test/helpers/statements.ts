/** What the drivers of this process are given to send, as it goes to the server, and of the values only their kinds. */
import pg from 'pg';
import * as tedious from 'tedious';

/** One statement or request. */
export interface Sent {
  readonly sql: string;
  /** The kinds of its values, in the order of the placeholders. */
  readonly kinds: readonly string[];
}

type Method = (this: unknown, ...words: unknown[]) => unknown;

/** Records while `work` runs. Nobody else may use a driver meanwhile. */
export async function statementsOf(work: () => Promise<unknown>): Promise<Sent[]> {
  const sent: Sent[] = [];
  const undo = [
    hook(pg.Client.prototype, 'query', ([query]) => sent.push(ofPostgres(query))),
    hook(tedious.Connection.prototype, 'execSql', ([request]) => sent.push(ofMssql(request as Request))),
    hook(tedious.Connection.prototype, 'execSqlBatch', ([request]) => sent.push(ofMssql(request as Request))),
    ...(['begin', 'commit', 'rollback'] as const).map((verb) =>
      hook(tedious.Connection.prototype, `${verb}Transaction`, () => sent.push({ sql: `${verb.toUpperCase()} TRANSACTION`, kinds: [] })),
    ),
  ];
  try {
    await work();
    return sent;
  } finally {
    for (const put of undo) put();
  }
}

/** Hears each call of a method before it is made. @returns a function that puts the method back */
function hook(prototype: object, name: string, hear: (words: unknown[]) => void): () => void {
  const original = Object.getOwnPropertyDescriptor(prototype, name);
  const method = original?.value as Method;
  const hooked: Method = function (this, ...words) {
    hear(words);
    return Reflect.apply(method, this, words);
  };
  Object.defineProperty(prototype, name, { ...original, value: hooked });
  return () => void Object.defineProperty(prototype, name, original ?? {});
}

function ofPostgres(query: unknown): Sent {
  if (typeof query === 'string') return { sql: query, kinds: [] };
  const { text, values = [] } = query as { readonly text: string; readonly values?: readonly unknown[] };
  return { sql: text, kinds: values.map((value) => (value instanceof Date ? 'time' : typeof value).replace('string', 'text')) };
}

/** What tedious's types leave out. */
interface Request {
  readonly sqlTextOrProcedure: string;
  readonly parameters: readonly { readonly type: { readonly name: string } }[];
}

function ofMssql({ parameters, sqlTextOrProcedure: sql }: Request): Sent {
  return { sql, kinds: parameters.map(({ type }) => type.name.toLowerCase()) };
}
