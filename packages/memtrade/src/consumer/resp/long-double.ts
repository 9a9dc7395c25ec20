/**
 * The 80-bit floating point numbers of x86, for INCRBYFLOAT: a mantissa of 64 bits, rounding to nearest, ties to even.
 * A number is exactly mantissa * 2^exponent. Sums and conversions are exact integers that are rounded once at the end.
 */

const mantissaBits = 64;
/** Limits of the exponent, with the mantissa as an integer. */
const exponentMin = -16_445;
const exponentMax = 16_320;
/** A decimal exponent beyond this is out of range whatever the digits, of which there are at most 5119. */
const decimalExponentMax = 11_000;
/** Longest text that Redis accepts as a number, in bytes. */
const textLengthMax = 5 * 1024 - 1;
/** Digits after the decimal point in printed numbers; trailing zeros are removed. */
const fractionDigits = 17;

export interface LongDouble {
  readonly mantissa: bigint;
  readonly exponent: number;
}

/** `undefined` for a text that is not a number or is out of range. Infinity is a number. */
export function parseLongDouble(text: string): LongDouble | 'infinity' | undefined {
  if (text.length > textLengthMax) return undefined;
  if (/^[+-]?inf(?:inity)?$/i.test(text)) return 'infinity';
  return parseDecimal(text) ?? parseHexadecimal(text);
}

function parseDecimal(text: string): LongDouble | undefined {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i.exec(text);
  const [whole, fraction] = [match?.[2] ?? '', match?.[3] ?? ''];
  if (match === null || whole + fraction === '') return undefined;
  const digits = BigInt(`${whole}${fraction}`) * (match[1] === '-' ? -1n : 1n);
  const exponent = Number(match[4] ?? '0') - fraction.length;
  if (digits === 0n) return { mantissa: 0n, exponent: 0 };
  if (Math.abs(exponent) > decimalExponentMax) return undefined;
  return exponent >= 0
    ? round(digits * 10n ** BigInt(exponent), 1n, 0)
    : round(digits, 10n ** BigInt(-exponent), 0);
}

function parseHexadecimal(text: string): LongDouble | undefined {
  const match = /^([+-]?)0x([\da-f]*)(?:\.([\da-f]*))?(?:p([+-]?\d+))?$/i.exec(text);
  const [whole, fraction] = [match?.[2] ?? '', match?.[3] ?? ''];
  if (match === null || whole + fraction === '') return undefined;
  const digits = BigInt(`0x${whole}${fraction}`) * (match[1] === '-' ? -1n : 1n);
  if (digits === 0n) return { mantissa: 0n, exponent: 0 };
  const exponent = Number(match[4] ?? '0') - 4 * fraction.length;
  return Math.abs(exponent) > 4 * decimalExponentMax ? undefined : round(digits, 1n, exponent);
}

/** `undefined` if the number is out of range. */
export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble | undefined {
  const exponent = Math.min(a.exponent, b.exponent);
  const shifted = ({ mantissa, exponent: own }: LongDouble): bigint => mantissa << BigInt(own - exponent);
  const sum = shifted(a) + shifted(b);
  return sum === 0n ? { mantissa: 0n, exponent: 0 } : round(sum, 1n, exponent);
}

/** The output of printf("%.17Lf") without trailing zeros. */
export function formatLongDouble({ mantissa, exponent }: LongDouble): string {
  const negative = mantissa < 0n;
  const scaled = (negative ? -mantissa : mantissa) * 10n ** BigInt(fractionDigits);
  const rounded = exponent >= 0 ? scaled << BigInt(exponent) : divideToEven(scaled, 1n << BigInt(-exponent));
  const digits = String(rounded).padStart(fractionDigits + 1, '0');
  const fraction = digits.slice(-fractionDigits).replace(/0+$/, '');
  const text = digits.slice(0, -fractionDigits) + (fraction === '' ? '' : `.${fraction}`);
  return negative && text !== '0' ? `-${text}` : text;
}

/** (numerator / denominator) * 2^exponent, to the nearest number. */
function round(numerator: bigint, denominator: bigint, exponent: number): LongDouble | undefined {
  const negative = numerator < 0n;
  const magnitude = negative ? -numerator : numerator;
  // Scale so that the quotient has 64 or 65 bits. If it has 65, divide again with one bit less.
  let shift = mantissaBits - (bitLength(magnitude) - bitLength(denominator));
  const quotientAt = (by: number): bigint =>
    by >= 0
      ? divideToEven(magnitude << BigInt(by), denominator)
      : divideToEven(magnitude, denominator << BigInt(-by));
  const isTooLong = (by: number): boolean =>
    by >= 0
      ? ((magnitude << BigInt(by)) / denominator) >> BigInt(mantissaBits) > 0n
      : (magnitude / (denominator << BigInt(-by))) >> BigInt(mantissaBits) > 0n;
  if (isTooLong(shift)) shift--;
  shift = Math.min(shift, exponent - exponentMin);
  const mantissa = quotientAt(shift);
  // Rounding up may give 2^64. That equals 2^63 with the next exponent, so it needs no correction.
  if (mantissa === 0n || exponent - shift + bitLength(mantissa) - mantissaBits > exponentMax)
    return undefined;
  return { mantissa: negative ? -mantissa : mantissa, exponent: exponent - shift };
}

function divideToEven(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const twice = (numerator - quotient * denominator) * 2n;
  return twice > denominator || (twice === denominator && quotient % 2n === 1n) ? quotient + 1n : quotient;
}

function bitLength(value: bigint): number {
  return value.toString(2).length;
}
