/** A table on the terminal that is drawn anew in its place; elsewhere only its last state is printed. */
export class LiveTable {
  private drawn = 0;
  private last = '';

  constructor(
    private readonly columns: readonly string[],
    private readonly heading: (text: string) => string,
    private readonly out: NodeJS.WriteStream = process.stdout,
  ) {}

  /** Shows the rows as they are now; `final`: for the last time. */
  public show(rows: readonly (readonly string[])[], final: boolean): void {
    const lines = this.lines(rows);
    const text = lines.join('\n');
    if (this.out.isTTY ? text === this.last : !final) {
      return;
    }
    if (this.drawn > 0) {
      this.out.moveCursor(0, -this.drawn);
      this.out.clearScreenDown();
    }
    this.out.write(`${text}\n`);
    this.drawn = lines.length;
    this.last = text;
  }

  private lines(rows: readonly (readonly string[])[]): string[] {
    const widths = this.columns.map((column, index) => Math.max(column.length, ...rows.map(row => row[index].length)));
    const line = (cells: readonly string[]) => `  ${cells.map((cell, index) => cell.padEnd(widths[index])).join('  ').trimEnd()}`;
    return [this.heading(line(this.columns)), ...rows.map(line)];
  }
}
