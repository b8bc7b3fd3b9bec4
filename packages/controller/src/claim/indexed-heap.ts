/**
 * A binary heap whose items can be moved and removed: the first one by an order that may change for one item at a time, as
 * long as `place` is called. All operations take time in the logarithm of the number of items.
 */
export class IndexedHeap<T> {
  private readonly items: T[] = [];
  private readonly positions = new Map<T, number>();

  /** @param before whether the first argument comes before the second */
  constructor(private readonly before: (a: T, b: T) => boolean) {}

  public get size(): number {
    return this.items.length;
  }

  public get first(): T | undefined {
    return this.items[0];
  }

  /** Adds an item, or moves it to where it belongs now. */
  public place(item: T): void {
    let position = this.positions.get(item);
    if (position === undefined) {
      position = this.items.length;
      this.put(item, position);
    }
    this.down(this.up(position));
  }

  /** Removes an item; nothing happens when it is not there. */
  public remove(item: T): void {
    const position = this.positions.get(item);
    if (position === undefined) {
      return;
    }
    this.positions.delete(item);
    const last = this.items.pop()!;
    if (last !== item) {
      this.put(last, position);
      this.down(this.up(position));
    }
  }

  private put(item: T, position: number): void {
    this.items[position] = item;
    this.positions.set(item, position);
  }

  private up(from: number): number {
    let position = from;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      if (!this.before(this.items[position]!, this.items[parent]!)) {
        break;
      }
      this.swap(position, parent);
      position = parent;
    }
    return position;
  }

  private down(from: number): void {
    for (let position = from; ;) {
      const [left, right] = [2 * position + 1, 2 * position + 2];
      let first = position;
      for (const child of [left, right]) {
        if (child < this.items.length && this.before(this.items[child]!, this.items[first]!)) {
          first = child;
        }
      }
      if (first === position) {
        return;
      }
      this.swap(position, first);
      position = first;
    }
  }

  private swap(a: number, b: number): void {
    const item = this.items[a]!;
    this.put(this.items[b]!, a);
    this.put(item, b);
  }
}
