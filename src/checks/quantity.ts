const GRAMMAR = /^\+?(\d+\.?\d*|\.\d+)(?:([eE][+-]?\d+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?$/;

/** Powers of ten, and factors, of the units of Kubernetes quantities. */
const DECIMAL: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const BINARY: Readonly<Record<string, bigint>> = { Ki: 1024n, Mi: 1024n ** 2n, Gi: 1024n ** 3n, Ti: 1024n ** 4n, Pi: 1024n ** 5n, Ei: 1024n ** 6n };

const NANO = 10n ** 9n;
const MILLI = 10n ** 6n;

/** Amounts that were read before: most apps write the same few in every object. */
const READ = new Map<string, Quantity | undefined>();
const MAX_READ = 1000;

/**
 * A non-negative Kubernetes quantity, exact. Kubernetes rounds up to nano units, so do we.
 *
 * @internal
 */
export class Quantity {
  public static readonly ZERO = new Quantity(0n);

  private constructor(private readonly nanos: bigint) {}

  /** The amount behind `text`, or undefined when it is not a non-negative quantity. */
  public static tryParse(text: string): Quantity | undefined {
    if (!READ.has(text)) {
      if (READ.size >= MAX_READ) {
        READ.clear();
      }
      READ.set(text, Quantity.read(text));
    }
    return READ.get(text);
  }

  private static read(text: string): Quantity | undefined {
    const match = GRAMMAR.exec(text);
    if (!match) {
      return undefined;
    }
    const [whole, fraction = ''] = match[1].split('.');
    const exponent = match[2] ? Number(match[2].slice(1)) : DECIMAL[match[3]] ?? 0;
    if (Math.abs(exponent) > 18) {
      return undefined; // Kubernetes' int64 ends there
    }
    const digits = BigInt(whole + fraction) * (BINARY[match[3]] ?? 1n);
    const power = 9 + exponent - fraction.length;
    return new Quantity(power >= 0 ? digits * 10n ** BigInt(power) : roundUp(digits, 10n ** BigInt(-power)));
  }

  public get isZero(): boolean {
    return this.nanos === 0n;
  }

  /** Whether it has no part finer than a thousandth, in which CPU is counted. */
  public get isInThousandths(): boolean {
    return this.nanos % MILLI === 0n;
  }

  /** Whether it counts whole things: bytes, devices. */
  public get isWhole(): boolean {
    return this.nanos % NANO === 0n;
  }

  public exceeds(other: Quantity): boolean {
    return this.nanos > other.nanos;
  }

  public plus(other: Quantity): Quantity {
    return new Quantity(this.nanos + other.nanos);
  }

  /** @param factor a whole number that is not negative */
  public times(factor: number): Quantity {
    return new Quantity(this.nanos * BigInt(factor));
  }

  /** In the largest unit that needs no fraction: `12Gi`, `1500m`, `7`. Binary units from `Mi` on, as smaller amounts are seldom of bytes. */
  public toString(): string {
    const isMultiple = (factor: bigint) => this.nanos > 0n && this.nanos % (factor * NANO) === 0n;
    const unit = Object.keys(BINARY).slice(1).reverse().find(each => isMultiple(BINARY[each]));
    if (unit) {
      return `${this.nanos / (BINARY[unit] * NANO)}${unit}`;
    }
    const [divisor, suffix] = ([[NANO, ''], [10n ** 6n, 'm'], [10n ** 3n, 'u'], [1n, 'n']] as const).find(([each]) => this.nanos % each === 0n)!;
    return `${this.nanos / divisor}${suffix}`;
  }
}

function roundUp(value: bigint, divisor: bigint): bigint {
  return (value + divisor - 1n) / divisor;
}
