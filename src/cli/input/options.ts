import { InvalidArgumentError } from 'commander'
import type { z } from 'zod'

/** A whole number in a range, for commander. */
export const integerBetween =
  (lowest: number, highest: number) =>
  (text: string): number => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (value >= lowest && value <= highest) return value
    throw new InvalidArgumentError(`Use a whole number from ${lowest} to ${highest}.`)
  }

/** Seconds, with decimals if need be, for commander; gives milliseconds. */
export const secondsAtLeast =
  (lowestMs: number) =>
  (text: string): number => {
    const value = /^\d{1,9}(\.\d{1,3})?$/.test(text) ? Math.round(Number(text) * 1_000) : Number.NaN
    if (value >= lowestMs) return value
    throw new InvalidArgumentError(`Use a number of seconds, ${lowestMs / 1_000} at least.`)
  }

/** An option that may be given several times. */
export const collect = (text: string, before: readonly string[] | undefined): string[] => [...(before ?? []), text]

/** One of the words of a zod enum, several times or separated by commas. */
export const wordsOf =
  <T extends string>(schema: z.ZodType<T> & { readonly options: readonly T[] }) =>
  (text: string, before: readonly T[] | undefined): T[] => [
    ...(before ?? []),
    ...text.split(',').map((word) => {
      const parsed = schema.safeParse(word)
      if (parsed.success) return parsed.data
      throw new InvalidArgumentError(`"${word}" is none of ${schema.options.join(', ')}.`)
    }),
  ]

export function wordOf<T extends string>(schema: z.ZodType<T> & { readonly options: readonly T[] }) {
  return (text: string): T => {
    const parsed = schema.safeParse(text)
    if (parsed.success) return parsed.data
    throw new InvalidArgumentError(`Use one of ${schema.options.join(', ')}.`)
  }
}

/** One of these words, for commander. */
export const oneOf =
  <const Word extends string>(words: readonly Word[]) =>
  (text: string): Word => {
    const word = words.find((each) => each === text)
    if (word !== undefined) return word
    throw new InvalidArgumentError(`Use one of ${words.join(', ')}.`)
  }

/** `key=value`, several times. */
export function keyValue(text: string, before: Readonly<Record<string, string>> | undefined): Record<string, string> {
  const at = text.indexOf('=')
  if (at > 0) return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
  throw new InvalidArgumentError('Use key=value.')
}

export function onOrOff(text: string): boolean {
  if (text === 'on' || text === 'off') return text === 'on'
  throw new InvalidArgumentError('Use on or off.')
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** `90s`, `30m`, `8h`, `7d`, for commander; gives seconds. */
export const lifetimeSeconds =
  (lowest: number, highest: number) =>
  (text: string): number => {
    const [, count, unit = 's'] = /^(\d{1,9})([smhd])?$/.exec(text) ?? []
    const value = count === undefined ? Number.NaN : Number(count) * (unitSeconds[unit] ?? Number.NaN)
    if (value >= lowest && value <= highest) return value
    throw new InvalidArgumentError(`Use a time such as 30m, 8h or 7d, from ${lowest} s to ${highest} s.`)
  }
