const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Value of each character code; 255: none. The two alphabets of RFC 4648 are read alike. */
const values = new Uint8Array(128).fill(255)
for (const [value, character] of [...alphabet].entries()) values[character.charCodeAt(0)] = value
values['-'.charCodeAt(0)] = 62
values['_'.charCodeAt(0)] = 63

/** Bytes of base64 or base64url, padded or not; what is not of the alphabet is passed over, as in a wrapped text. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.ceil((text.length * 3) / 4))
  let length = 0
  let bits = 0
  let held = 0
  for (let index = 0; index < text.length; index += 1) {
    const value = values[text.charCodeAt(index)] ?? 255
    if (value === 255) continue
    held = ((held << 6) | value) & 0xffff
    bits += 6
    if (bits < 8) continue
    bits -= 8
    bytes[length] = (held >> bits) & 0xff
    length += 1
  }
  return bytes.slice(0, length)
}

/** Does this character stand in base64 (not base64url)? Padding is none of them. */
export function isBase64Code(code: number): boolean {
  return (values[code] ?? 255) !== 255 && code !== 45 && code !== 95
}
