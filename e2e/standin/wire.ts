/** Values as text for the DevTools protocol: JSON, with what JSON lacks under a `$` key. Source is injected into pages. */
export function encodeWire(value: unknown): string {
  const toBase64 = (bytes: Uint8Array): string => {
    let text = ''
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192))
    return btoa(text)
  }
  const encode = (item: unknown): unknown => {
    if (item === undefined) return { $: 'undefined' }
    if (item === null || typeof item !== 'object') return item
    if (item instanceof Date) return { $: 'date', value: item.getTime() }
    if (item instanceof ArrayBuffer) return { $: 'buffer', value: toBase64(new Uint8Array(item)) }
    if (ArrayBuffer.isView(item))
      return { $: 'bytes', value: toBase64(new Uint8Array(item.buffer, item.byteOffset, item.byteLength)) }
    if (Array.isArray(item)) return item.map(encode)
    const entries = Object.entries(item).map(([key, inner]) => [key, encode(inner)])
    return '$' in item ? { $: 'object', value: Object.fromEntries(entries) } : Object.fromEntries(entries)
  }
  return JSON.stringify(encode(value))
}

export function decodeWire(text: string): unknown {
  const toBytes = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
  const each = (item: object): unknown =>
    Object.fromEntries(Object.entries(item).map(([key, inner]) => [key, decode(inner)]))
  const decode = (item: unknown): unknown => {
    if (item === null || typeof item !== 'object') return item
    if (Array.isArray(item)) return item.map(decode)
    const { $: tag, value } = item as { $?: string; value?: never }
    if (tag === undefined) return each(item)
    if (tag === 'undefined') return undefined
    if (tag === 'date') return new Date(value as unknown as number)
    if (tag === 'buffer') return toBytes(value as unknown as string).buffer
    if (tag === 'bytes') return toBytes(value as unknown as string)
    return each(value as unknown as object)
  }
  return decode(JSON.parse(text))
}
