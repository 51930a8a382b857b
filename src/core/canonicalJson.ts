/**
 * JSON with sorted keys and no spaces: one text for one value, whoever writes it. As in `JSON.stringify`, fields that
 * are `undefined` are left out.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const fields = value as Readonly<Record<string, unknown>>
  const present = Object.keys(fields)
    .filter((key) => fields[key] !== undefined)
    .sort()
  return `{${present.map((key) => `${JSON.stringify(key)}:${canonicalJson(fields[key])}`).join(',')}}`
}
