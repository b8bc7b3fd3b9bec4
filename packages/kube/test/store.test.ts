import type { KubeObject } from 'agent-sandbox-api';
import { Store, type StoreOptions } from '../src/store.js';

interface Thing extends KubeObject {
  color?: string;
}

function thing(name: string, version: number, { uid = `uid-${name}`, namespace = 'a', ...rest }: { uid?: string; namespace?: string; color?: string; labels?: Record<string, string> } = {}): Thing {
  const { labels, color } = rest;
  return { metadata: { name, namespace, uid, resourceVersion: String(version), labels }, color };
}

function setup(options: StoreOptions<Thing> = {}) {
  const store = new Store<Thing>(options);
  const calls: string[] = [];
  const show = (object: Thing) => `${object.metadata.name}@${object.metadata.resourceVersion}`;
  store.addHandler({
    add: (object, origin) => calls.push(`add ${show(object)} ${origin}`),
    update: (before, after, origin) => calls.push(`update ${show(before)} ${show(after)} ${origin}`),
    delete: (object, origin) => calls.push(`delete ${show(object)} ${origin}`),
  });
  /** Calls since the last time. */
  const told = () => calls.splice(0);
  return { store, told };
}

describe('Store', () => {
  test('tells handlers what a list adds, changes and lacks, but not what it repeats', () => {
    const { store, told } = setup();
    store.replace('', [thing('x', 1), thing('y', 2)], '5');
    expect(told()).toEqual(['add x@1 list', 'add y@2 list']);
    store.replace('', [thing('y', 2), thing('z', 6)], '7');
    expect(told()).toEqual(['add z@6 list', 'delete x@1 list']);
    store.replace('', [thing('y', 8)], '9');
    expect(told()).toEqual(['update y@2 y@8 list', 'delete z@6 list']);
    expect(store.list().map(object => object.metadata.name)).toEqual(['y']);
  });

  test('follows the watch', () => {
    const { store, told } = setup();
    store.replace('', [], '5');
    store.apply('', 'ADDED', thing('x', 6));
    store.apply('', 'MODIFIED', thing('x', 7, { color: 'red' }));
    expect(store.get('a/x')?.color).toBe('red');
    expect(store.get({ namespace: 'a', name: 'x' })).toBe(store.get('a/x'));
    store.apply('', 'DELETED', thing('x', 8, { color: 'red' }));
    expect(told()).toEqual(['add x@6 watch', 'update x@6 x@7 watch', 'delete x@8 watch']);
    expect([store.size, store.position()]).toEqual([0, '8']);
  });

  test('an object of the same name with another uid is the end of one and the begin of another', () => {
    const { store, told } = setup();
    store.replace('', [thing('x', 1)], '5');
    told();
    store.replace('', [thing('x', 9, { uid: 'other' })], '9');
    expect(told()).toEqual(['delete x@1 list', 'add x@9 list']);
    store.apply('', 'ADDED', thing('x', 12, { uid: 'third' }));
    expect(told()).toEqual(['delete x@9 watch', 'add x@12 watch']);
  });

  test('a late handler gets the stored objects', () => {
    const { store } = setup();
    store.replace('', [thing('x', 1)], '5');
    const added: string[] = [];
    const remove = store.addHandler({ add: (object, origin) => added.push(`${object.metadata.name} ${origin}`) });
    expect(added).toEqual(['x list']);
    remove();
    store.apply('', 'ADDED', thing('y', 6));
    expect(added).toHaveLength(1);
  });

  test('a handler that throws is logged and does not keep others from hearing', () => {
    const errors: unknown[] = [];
    const log = () => undefined;
    const store = new Store<Thing>({ logger: { debug: log, info: log, warn: log, error: fields => errors.push(fields) } });
    store.addHandler({ add: () => { throw new Error('broken'); } });
    const added: string[] = [];
    store.addHandler({ add: object => added.push(object.metadata.name!) });
    store.apply('', 'ADDED', thing('x', 1));
    expect(added).toEqual(['x']);
    expect(errors).toEqual([{ err: new Error('broken') }]);
  });

  test('a resync tells about every object, unchanged', () => {
    const { store, told } = setup();
    store.replace('', [thing('x', 1), thing('y', 2)], '5');
    told();
    store.resync();
    expect(told()).toEqual(['update x@1 x@1 resync', 'update y@2 y@2 resync']);
  });

  describe('indexes', () => {
    const indexes = { color: (object: Thing) => object.color, parts: (object: Thing) => (object.color ?? '').split('-').filter(Boolean) };
    const names = (objects: Thing[]) => objects.map(object => object.metadata.name).sort();

    test('follow additions, changes and deletions', () => {
      const { store } = setup({ indexes });
      store.replace('', [thing('x', 1, { color: 'red-blue' }), thing('y', 2, { color: 'red' }), thing('z', 3)], '5');
      expect(names(store.byIndex('parts', 'red'))).toEqual(['x', 'y']);
      expect(names(store.byIndex('parts', 'blue'))).toEqual(['x']);
      store.apply('', 'MODIFIED', thing('x', 6, { color: 'blue-green' }));
      expect(names(store.byIndex('parts', 'red'))).toEqual(['y']);
      expect(names(store.byIndex('parts', 'green'))).toEqual(['x']);
      expect(store.byIndex('parts', 'blue')[0].metadata.resourceVersion).toBe('6');
      store.apply('', 'DELETED', thing('y', 7));
      expect(store.byIndex('color', 'red')).toEqual([]);
      expect(store.indexValues('color')).toEqual(['blue-green']);
    });

    test('there is one for namespaces', () => {
      const { store } = setup();
      store.replace('', [thing('x', 1), thing('x', 2, { namespace: 'b', uid: 'b' })], '5');
      expect(store.list('b').map(object => object.metadata.uid)).toEqual(['b']);
      expect(store.list('c')).toEqual([]);
    });

    test('one that does not exist is an error with those that do', () => {
      expect(() => setup({ indexes }).store.byIndex('colour', 'red')).toThrow('no index "colour": there are namespace, color, parts');
    });
  });

  describe('own writes', () => {
    test('are seen at once, and their watch event is no news', () => {
      const { store, told } = setup();
      store.replace('', [thing('x', 1)], '5');
      told();
      expect(store.observe(thing('x', 8, { color: 'red' }))).toBe(true);
      expect(store.get('a/x')?.color).toBe('red');
      store.apply('', 'MODIFIED', thing('x', 8, { color: 'red' }));
      expect(told()).toEqual(['update x@1 x@8 write']);
    });

    test('are not undone by events that are older', () => {
      const { store } = setup();
      store.replace('', [thing('x', 1)], '5');
      store.observe(thing('x', 8, { color: 'red' }));
      store.apply('', 'MODIFIED', thing('x', 7, { color: 'blue' }));
      expect(store.get('a/x')?.color).toBe('red');
      store.apply('', 'MODIFIED', thing('x', 9, { color: 'green' }));
      expect(store.get('a/x')?.color).toBe('green');
    });

    test('are not undone by a list that is older, whether they changed or created', () => {
      const { store } = setup();
      store.replace('', [thing('x', 1)], '5');
      store.observe(thing('x', 8, { color: 'red' }));
      store.observe(thing('new', 9));
      store.replace('', [thing('x', 6)], '7');
      expect(store.list().map(object => object.metadata.resourceVersion)).toEqual(['8', '9']);
    });

    test('come too late when the watch has delivered later events, even the deletion', () => {
      const { store, told } = setup();
      store.replace('', [], '5');
      store.apply('', 'ADDED', thing('x', 6));
      store.apply('', 'DELETED', thing('x', 7));
      told();
      expect(store.observe(thing('x', 6))).toBe(false);
      expect(store.size).toBe(0);
      expect(told()).toEqual([]);
    });

    test('come too late when a list after them lacks the object', () => {
      const { store } = setup();
      store.replace('', [], '10');
      expect(store.observe(thing('x', 9))).toBe(false);
    });

    test('come too late when a bookmark has passed them', () => {
      const { store } = setup();
      store.replace('', [], '5');
      store.advance('', '20');
      expect(store.observe(thing('x', 15))).toBe(false);
      expect(store.observe(thing('x', 21))).toBe(true);
    });

    test('count before the first list, too', () => {
      const { store } = setup();
      store.observe(thing('x', 8));
      store.replace('', [], '7');
      expect(store.get('a/x')?.metadata.resourceVersion).toBe('8');
      store.replace('', [], '9');
      expect(store.size).toBe(0);
    });

    test('whose versions have no order are left to the watch', () => {
      const { store } = setup();
      const strange = thing('x', 8);
      strange.metadata.resourceVersion = 'eight';
      store.replace('', [], '5');
      expect(store.observe(strange)).toBe(false);
      store.apply('', 'ADDED', strange);
      expect(store.size).toBe(1);
    });
  });

  describe('own deletions', () => {
    test('are seen at once, and older events do not bring the object back', () => {
      const { store, told } = setup();
      store.replace('', [thing('x', 1)], '5');
      told();
      expect(store.forget({ namespace: 'a', name: 'x' }, 'uid-x')).toBe(true);
      store.apply('', 'MODIFIED', thing('x', 6));
      expect(store.observe(thing('x', 6))).toBe(false);
      store.apply('', 'DELETED', thing('x', 7));
      expect(told()).toEqual(['delete x@1 write']);
      expect(store.size).toBe(0);
    });

    test('do not concern a successor of the same name', () => {
      const { store } = setup();
      store.replace('', [thing('x', 1)], '5');
      store.forget({ namespace: 'a', name: 'x' }, 'uid-x');
      store.observe(thing('x', 9, { uid: 'next' }));
      store.apply('', 'MODIFIED', thing('x', 6));
      store.apply('', 'DELETED', thing('x', 7));
      expect(store.get('a/x')?.metadata.uid).toBe('next');
      expect(store.forget({ namespace: 'a', name: 'x' }, 'uid-x')).toBe(false);
    });

    test('are not undone by a list that is older, and are forgotten with one that lacks the object', () => {
      const { store } = setup();
      store.replace('', [thing('x', 1)], '5');
      store.forget({ namespace: 'a', name: 'x' }, 'uid-x');
      store.replace('', [thing('x', 1)], '6');
      expect(store.size).toBe(0);
      store.replace('', [], '8');
      expect(store.tombstoneCount).toBe(0);
    });
  });

  test('after a server was restored from a backup, the list is right and not the cache', () => {
    const { store } = setup();
    store.replace('', [thing('x', 90), thing('y', 95)], '100');
    store.replace('', [thing('x', 40)], '50');
    expect(store.list().map(object => object.metadata.resourceVersion)).toEqual(['40']);
    store.apply('', 'MODIFIED', thing('x', 51));
    expect(store.get('a/x')?.metadata.resourceVersion).toBe('51');
  });

  describe('with a selector', () => {
    const accepts = (object: Thing) => object.metadata.labels?.mine === 'yes';
    const mine = { mine: 'yes' };

    test('own writes of objects outside are not taken', () => {
      const { store } = setup({ accepts });
      store.replace('', [], '5');
      expect(store.observe(thing('x', 6))).toBe(false);
      expect(store.observe(thing('y', 7, { labels: mine }))).toBe(true);
      expect(store.size).toBe(1);
    });

    test('an own write that takes an object out of it removes it for good', () => {
      const { store, told } = setup({ accepts });
      store.replace('', [thing('x', 1, { labels: mine })], '5');
      told();
      store.observe(thing('x', 8));
      store.apply('', 'MODIFIED', thing('x', 7, { labels: mine }));
      store.apply('', 'DELETED', thing('x', 8));
      expect(told()).toEqual(['delete x@1 write']);
    });

    test('an own write that puts it back is not undone by the event of its leaving', () => {
      const { store, told } = setup({ accepts });
      store.replace('', [thing('x', 1, { labels: mine })], '5');
      told();
      store.observe(thing('x', 8));
      store.observe(thing('x', 9, { labels: mine }));
      store.apply('', 'DELETED', thing('x', 8));
      store.apply('', 'ADDED', thing('x', 9, { labels: mine }));
      expect(told()).toEqual(['delete x@1 write', 'add x@9 write']);
      expect(store.size).toBe(1);
    });
  });

  describe('with scopes', () => {
    const scopeOf = ({ metadata: { namespace } }: Thing) => (namespace === 'a' || namespace === 'b' ? namespace : undefined);

    test('the list of one leaves the others alone', () => {
      const { store } = setup({ scopeOf });
      store.replace('a', [thing('x', 1)], '5');
      store.replace('b', [thing('y', 2, { namespace: 'b' })], '6');
      store.replace('a', [], '7');
      expect(store.list().map(object => object.metadata.name)).toEqual(['y']);
      expect([store.position('a'), store.position('b')]).toEqual(['7', '6']);
    });

    test('each knows how far it is', () => {
      const { store } = setup({ scopeOf });
      store.replace('a', [], '5');
      store.replace('b', [], '20');
      expect(store.observe(thing('x', 10))).toBe(true);
      expect(store.observe(thing('y', 10, { namespace: 'b' }))).toBe(false);
    });

    test('objects of none are not taken', () => {
      expect(setup({ scopeOf }).store.observe(thing('x', 1, { namespace: 'c' }))).toBe(false);
    });
  });

  describe('objects', () => {
    const raw = () => ({ ...thing('x', 1), metadata: { ...thing('x', 1).metadata, managedFields: [{ manager: 'me' }] } });

    test('lose their managed fields and cannot be changed', () => {
      const { store } = setup();
      store.observe(raw());
      const object = store.get('a/x')!;
      expect(object.metadata).not.toHaveProperty('managedFields');
      expect(() => object.metadata.name = 'y').toThrow(TypeError);
    });

    test('may be trimmed further and left unfrozen', () => {
      const { store } = setup({ trim: object => ({ metadata: object.metadata }), freeze: false });
      store.observe({ ...raw(), color: 'red' });
      const object = store.get('a/x')!;
      expect(object).not.toHaveProperty('color');
      expect(() => object.metadata.generation = 2).not.toThrow();
    });
  });
});
