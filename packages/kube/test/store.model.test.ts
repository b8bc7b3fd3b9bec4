import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { type KubeObject, keyOf } from 'agent-sandbox-api';
import { silentLogger } from '../src/logger.js';
import { Store } from '../src/store.js';

interface Thing extends KubeObject {
  color: number;
}

interface Change {
  readonly version: number;
  readonly object: Thing;
  readonly before?: Thing;
  readonly deleted: boolean;
}

/** An API server as far as one collection of it goes: what is stored, and what has happened. */
class Server {
  public version = 10;
  public readonly stored = new Map<string, Thing>();
  public readonly changes: Change[] = [];
  private uids = 0;

  /** Creates or updates. */
  public put(name: string, color: number, mine: boolean): Thing {
    const before = this.stored.get(name);
    const object: Thing = {
      metadata: { name, uid: before?.metadata.uid ?? `uid-${++this.uids}`, resourceVersion: String(++this.version), labels: mine ? { mine: 'yes' } : {} },
      color,
    };
    this.stored.set(name, object);
    this.changes.push({ version: this.version, object, before, deleted: false });
    return object;
  }

  public remove(name: string): Thing | undefined {
    const before = this.stored.get(name);
    if (before) {
      this.stored.delete(name);
      this.version++;
      this.changes.push({ version: this.version, before, deleted: true, object: { ...before, metadata: { ...before.metadata, resourceVersion: String(this.version) } } });
    }
    return before;
  }
}

/** Answers to own writes that are on their way. */
type Answer = { readonly observe: Thing } | { readonly forget: Thing };

const isMine = (object: Thing) => object.metadata.labels?.mine === 'yes';

/** A program with a cache: lists, watches, writes, and gets the answers to its writes whenever. */
class Program {
  public readonly store: Store<Thing>;
  private readonly told = new Map<string, Thing>();
  private readonly ended = new Set<string>();
  private readonly newest = new Map<string, number>();
  private readonly answers: Answer[] = [];
  /** What handlers found wrong: a store logs it, and goes on. */
  private readonly broken: Error[] = [];
  /** Position of the watch; undefined before the first list. */
  private watched?: number;
  private listing?: { version: number; items: Thing[] };

  constructor(private readonly server: Server, private readonly selects: boolean) {
    this.store = new Store<Thing>({
      accepts: selects ? isMine : undefined,
      indexes: { color: object => `color-${object.color}` },
      logger: { ...silentLogger, error: fields => this.broken.push((fields as { err: Error }).err) },
    });
    this.store.addHandler({
      add: object => {
        assert(!this.told.has(keyOf(object)), 'added twice');
        assert(selects || !this.ended.has(object.metadata.uid!), 'revived');
        this.note(object);
      },
      update: (before, after) => {
        assert.equal(this.told.get(keyOf(before)), before);
        assert.equal(after.metadata.uid, before.metadata.uid);
        this.note(after);
      },
      delete: object => {
        assert.equal(this.told.get(keyOf(object))?.metadata.uid, object.metadata.uid);
        this.told.delete(keyOf(object));
        this.ended.add(object.metadata.uid!);
      },
    });
  }

  public write(name: string, color: number, mine: boolean): void {
    this.answers.push({ observe: this.server.put(name, color, mine) });
  }

  public remove(name: string): void {
    const removed = this.server.remove(name);
    if (removed) {
      this.answers.push({ forget: removed });
    }
  }

  /** Gets one of the answers that are on their way. */
  public answer(which: number): void {
    const [answer] = this.answers.splice(which % Math.max(1, this.answers.length), 1);
    if (answer && 'observe' in answer) {
      this.store.observe(structuredClone(answer.observe));
    } else if (answer) {
      this.store.forget(answer.forget.metadata as { name: string }, answer.forget.metadata.uid!);
    }
  }

  public beginList(): void {
    this.listing ??= { version: this.server.version, items: [...this.server.stored.values()].filter(object => !this.selects || isMine(object)) };
  }

  public endList(): void {
    if (this.listing) {
      const { version, items } = this.listing;
      this.listing = undefined;
      this.store.replace('', items.map(item => structuredClone(item)), String(version));
      this.watched = version;
    }
  }

  public event(): boolean {
    if (this.watched === undefined || this.listing) {
      return false;
    }
    const change = this.server.changes.find(({ version }) => version > this.watched!);
    if (!change) {
      return false;
    }
    this.watched = change.version;
    const was = change.before !== undefined && (!this.selects || isMine(change.before));
    const is = !change.deleted && (!this.selects || isMine(change.object));
    if (was || is) {
      this.store.apply('', !is ? 'DELETED' : was ? 'MODIFIED' : 'ADDED', structuredClone(change.object));
    }
    return true;
  }

  public bookmark(): void {
    if (this.watched !== undefined && !this.listing && this.watched === this.server.version) {
      this.store.advance('', String(this.watched));
    }
  }

  /** Gets all that is on its way. */
  public settle(order: number): void {
    while (this.answers.length > 0) {
      this.answer(order);
    }
    this.endList();
    if (this.watched === undefined) {
      this.beginList();
      this.endList();
    }
    while (this.event());
  }

  public check(): void {
    if (this.broken.length > 0) {
      throw this.broken[0];
    }
    // Plain comparisons: this runs some hundred thousand times.
    const objects = this.store.list();
    const isTold = objects.length === this.told.size && objects.every(object => this.told.get(keyOf(object)) === object);
    const isIndexed = objects.every(object => this.store.byIndex('color', `color-${object.color}`).includes(object));
    if (!isTold || !isIndexed) {
      expect({ objects, isIndexed }).toEqual({ objects: [...this.told.values()], isIndexed: true });
    }
  }

  private note(object: Thing): void {
    const version = Number(object.metadata.resourceVersion);
    assert(version > (this.newest.get(object.metadata.uid!) ?? 0), `went back to ${version}`);
    this.newest.set(object.metadata.uid!, version);
    this.told.set(keyOf(object), object);
  }
}

const name = fc.constantFrom('x', 'y', 'z');
const color = fc.nat(2);
const command = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('other' as const), name, color, mine: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('otherRemoves' as const), name }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('write' as const), name, color, mine: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), name }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('answer' as const), which: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('beginList' as const, 'endList' as const, 'bookmark' as const) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('event' as const) }) },
);

describe.each([['without selector', false], ['with selector', true]])('a store %s', (_, selects) => {
  test('never goes back, never revives what was deleted, and ends equal to the server, in whatever order events arrive', () => {
    fc.assert(fc.property(fc.array(command, { maxLength: 60, size: 'max' }), fc.nat(5), (commands, order) => {
      const server = new Server();
      const program = new Program(server, selects);
      for (const step of commands) {
        switch (step.do) {
          case 'other': server.put(step.name, step.color, step.mine); break;
          case 'otherRemoves': server.remove(step.name); break;
          case 'write': program.write(step.name, step.color, step.mine); break;
          case 'remove': program.remove(step.name); break;
          case 'answer': program.answer(step.which); break;
          default: program[step.do]();
        }
        program.check();
      }
      program.settle(order);
      program.check();
      const expected = [...server.stored.values()].filter(object => !selects || isMine(object));
      expect(program.store.list().sort(byName)).toEqual(expected.sort(byName));
      if (!selects) {
        expect(program.store.tombstoneCount).toBe(0);
      }
    }), { numRuns: 3000 });
  });
});

function byName(a: Thing, b: Thing): number {
  return a.metadata.name! < b.metadata.name! ? -1 : 1;
}
