/** What would be lost with the objects a migration made: rows of its tables, values of its columns. */
import type { Writer } from '../engines/database';
import type { Row } from '../engines/rows';
import type { Catalogue } from './live-schema';
import { namesFor } from './sql';

/** Tables and columns among objects, those of a listed table left out: they go with it. */
function holdersOf(made: readonly string[], live: ReadonlySet<string>) {
  const present = made.filter((object) => live.has(object));
  const tables = present.filter((object) => object.startsWith('table ')).map((object) => object.slice('table '.length));
  const columns = present
    .filter((object) => object.startsWith('column '))
    .map((object) => object.slice('column '.length).split('.') as [string, string])
    .filter(([table]) => !tables.includes(table));
  return { tables, columns };
}

/** Objects that would go with the tables a migration made, and were not made by any that is taken back with it. */
export function findOthers(made: readonly string[], allMade: ReadonlySet<string>, live: ReadonlySet<string>): string[] {
  const tables = new Set(holdersOf(made, live).tables);
  const tableOf = (object: string) => /^\S+ ([^.]+)/.exec(object)?.[1] ?? '';
  return [...live].filter((object) => !allMade.has(object) && tables.has(tableOf(object))).sort();
}

/** From now on nobody can put a row where none was counted. */
export async function lockWhatWasMade(
  writer: Writer,
  made: readonly string[],
  live: ReadonlySet<string>,
): Promise<void> {
  const { tables, columns } = holdersOf(made, live);
  const { table: qualified } = namesFor(writer.dialect);
  for (const table of [...new Set([...tables, ...columns.map(([table]) => table)])].sort()) {
    await writer.sql.raw(
      writer.dialect === 'postgres'
        ? `LOCK TABLE ${qualified(table)} IN ACCESS EXCLUSIVE MODE`
        : // A hint counts where the table is read, and for TOP (0) it need not be.
          `SELECT TOP (1) 1 AS [locked] FROM ${qualified(table)} WITH (TABLOCKX, HOLDLOCK)`,
    );
  }
}

/** One phrase for each object that holds something: `3 rows in canvas.HostSessionEvents`. */
export async function findLosses(
  catalogue: Catalogue,
  made: readonly string[],
  live: ReadonlySet<string>,
): Promise<string[]> {
  const { tables, columns } = holdersOf(made, live);
  const { name, table: qualified } = namesFor(catalogue.dialect);
  const count = async (from: string) => {
    const [row] = await catalogue.ask<Row>(`SELECT COUNT(*) AS "n" FROM ${from}`);
    return Number(row?.['n']);
  };
  const losses: string[] = [];
  for (const table of tables) {
    const rows = await count(qualified(table));
    if (rows > 0) losses.push(`${rows} rows in canvas.${table}`);
  }
  for (const [table, column] of columns) {
    const values = await count(`${qualified(table)} WHERE ${name(column)} IS NOT NULL`);
    if (values > 0) losses.push(`${values} values in canvas.${table}.${column}`);
  }
  return losses;
}
