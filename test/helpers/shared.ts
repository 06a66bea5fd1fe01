/** Targets that a whole file shares: to make and to open one costs more than most tests. Its tests run one by one. */
import test from 'ava';
import type { Access } from '../../lib/access';
import { access, execute, type Lane, type Owner, type Scratch } from './lanes';
import { PHRASES } from './phrases';

/** A file that owns what its hooks make. */
interface FileOwner extends Owner {
  /** Takes it all away again, the newest first. */
  end(): Promise<void>;
}

function fileOwner(): FileOwner {
  const endings: (() => unknown)[] = [];
  return {
    teardown: (end) => void endings.push(end),
    async end() {
      for (const end of endings.reverse()) await end();
    },
  };
}

/** A ready target for all tests of a file, made before the first of them and gone after the last. */
export function shareScratch(lane: Lane): () => Scratch {
  const owner = fileOwner();
  let scratch: Scratch | undefined;
  test.serial.before(async () => {
    scratch = await lane.ready(owner);
  });
  test.after.always(() => owner.end());
  return () => given(scratch);
}

/** Work on an open target that has no canvas session, its ids beginning at 1. */
export type WithCleared = (t: Owner, work: (open: Access) => Promise<void>) => Promise<void>;

/** One open target for the tests of a file, cleared for each. */
export function shareAccess(lane: Lane): WithCleared {
  const owner = fileOwner();
  let open: Access | undefined;
  test.serial.before(async () => {
    open = await keepOpen(owner, await lane.ready(owner));
  });
  test.after.always(() => owner.end());
  return clearing(lane, () => given(open));
}

function clearing({ dialect }: Lane, open: () => Access): WithCleared {
  return async (_t, work) => {
    await execute(open(), ...PHRASES[dialect].clear);
    await work(open());
  };
}

/** Both of them. On a server they are one database, which others may use while it is open: making two takes twice as long. */
export function shareBoth(lane: Lane): { readonly scratch: () => Scratch; readonly withCleared: WithCleared } {
  if (lane.name === 'pglite') return { scratch: shareScratch(lane), withCleared: shareAccess(lane) };
  const opened = shareOpened(lane, () => Promise.resolve());
  return { scratch: () => opened().scratch, withCleared: clearing(lane, () => opened().open) };
}

/** A target and what opened it. */
export interface Opened {
  readonly scratch: Scratch;
  readonly open: Access;
}

/** One ready target, open for all tests of a file. @param fill makes what each of them finds there */
export function shareOpened(lane: Lane, fill: (opened: Opened, owner: Owner) => Promise<void>): () => Opened {
  const owner = fileOwner();
  let opened: Opened | undefined;
  test.serial.before(async () => {
    const scratch = await lane.ready(owner);
    opened = { scratch, open: await keepOpen(owner, scratch) };
    await fill(opened, owner);
  });
  test.after.always(() => owner.end());
  return () => given(opened);
}

/** Opens a target until its owner ends. */
function keepOpen(owner: Owner, scratch: Scratch): Promise<Access> {
  return new Promise((resolve, reject) => {
    const closed = access(scratch, (open) => {
      resolve(open);
      return new Promise<void>((close) => {
        owner.teardown(async () => {
          close();
          await closed;
        });
      });
    });
    closed.catch(reject);
  });
}

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('The shared target could not be made; see the hook that failed.');
  return value;
}
