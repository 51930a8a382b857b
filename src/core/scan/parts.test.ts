import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeBase64 } from './base64.ts'
import { findDirectives, isDirectiveFile, withoutDirectives } from './directives.ts'
import { encodedTexts } from './encoded.ts'

/** Put together here, so that no scanner obeys this file. */
const directives = [
  `secretlint${'-disable'}`,
  `SecretLint${'-Disable'}-next-line`,
  `gitleaks${':allow'}`,
  `pragma: allow${'list'} secret`,
  `pragma:  white${'list'} nextline secret`,
  `trufflehog${':ignore'}`,
]

describe('decodeBase64', () => {
  it('S2.17 reads what Node writes, in both alphabets, padded or not', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = Buffer.from(bytes).toString('base64')
        for (const form of [text, text.replaceAll('=', ''), Buffer.from(bytes).toString('base64url')]) {
          expect([...decodeBase64(form)]).toEqual([...bytes])
        }
      }),
    )
  })
})

describe('encodedTexts', () => {
  const words = fc.stringMatching(/^[ -~\n]{24,400}$/)

  it('S2.17 finds a readable text in base64 wherever it stands, on one line or wrapped and indented', () => {
    fc.assert(
      fc.property(
        words,
        fc.constantFrom(60, 64, 76, 100_000),
        fc.constantFrom('', '  ', '\t'),
        (text, width, indent) => {
          const base64 = Buffer.from(text).toString('base64')
          const wrapped = base64.replaceAll(new RegExp(`.{${width}}(?=.)`, 'g'), `$&\n${indent}`)
          const found = [...encodedTexts(`data: "${wrapped}"\nmore: 1`)]
          expect(found).toEqual([{ start: 7, end: 7 + wrapped.length, text }])
        },
      ),
    )
  })

  it('S2.17 leaves out bytes that are no text', () => {
    const picture = Buffer.from(Array.from({ length: 90 }, (_value, index) => (index * 37) % 256)).toString('base64')
    expect([...encodedTexts(`a ${picture} b`)]).toEqual([])
    expect([...encodedTexts('short: YWJj')]).toEqual([])
  })
})

describe('directives', () => {
  it.each(directives)('U40 are seen and taken away, whatever surrounds them: %#', (directive) => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, after) => {
        fc.pre(findDirectives(before).length === 0 && findDirectives(after).length === 0)
        const text = `${before}\n${directive}\n${after}`
        expect(findDirectives(text)).toContain(before.length + 1)
        const without = withoutDirectives(text)
        expect(findDirectives(without)).toEqual([])
        expect(without).toHaveLength(text.length)
        expect(without.split('\n')).toHaveLength(text.split('\n').length)
      }),
    )
  })

  it('U40 counts files that tell scanners what to leave out, in the root only', () => {
    expect(isDirectiveFile(`.gitleaks${'ignore'}`)).toBe(true)
    expect(isDirectiveFile(`below/.gitleaks${'ignore'}`)).toBe(false)
    expect(isDirectiveFile('readme.md')).toBe(false)
  })
})
