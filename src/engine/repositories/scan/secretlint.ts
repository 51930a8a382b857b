import { lintSource } from '@secretlint/core'
import { secretLintProfiler } from '@secretlint/profiler'
import { rules } from '@secretlint/secretlint-rule-preset-recommend'
import { distinctCharacters, isVaried, type SecretMatch } from '../../../core/scan/rule.ts'

/** Searches a text with the rules of somebody else. */
export type Library = (text: string, file: string) => Promise<SecretMatch[]>

/**
 * A text is handed over in pieces: the library compares each of its messages with each other one. Pieces overlap by more than
 * its longest pattern has (10,000 characters).
 */
const pieceCharacters = 512 * 1024
const overlapCharacters = 16 * 1024

/** They take `npm_config_...` of 40 characters and any word behind `_authToken=`; our rule `npm-token` is exact. */
const inexact = ['NPM_ACCESS_TOKEN', 'Npmrc_authToken']

/** A preset runs all of its rules, also those that are switched off in it: so they are given one by one. */
const config = {
  rules: rules
    // Comments in a searched file do not decide what is found in it.
    .filter(({ meta }) => meta.id !== '@secretlint/secretlint-rule-filter-comments')
    .map((rule) => ({ id: rule.meta.id, rule, allowMessageIds: inexact })),
}

/** Its messages quote what they found: only rule, kind and place are taken over. */
export const searchWithSecretlint: Library = async (text, file) => {
  // It would keep several marks for each rule and file.
  secretLintProfiler.setEnabled(false)
  const found = new Map<string, SecretMatch>()
  for (const start of piecesOf(text)) {
    const content = text.slice(start, start + pieceCharacters)
    const { messages } = await lintSource({
      source: { content, filePath: file, ext: '', contentType: 'text' },
      options: { config, noPhysicFilePath: true },
    })
    for (const { ruleId, messageId, range } of messages) {
      const match = matchOf(ruleId, messageId, start + range[0], start + range[1])
      if (isPlaceholder(match.rule, text.slice(match.start, match.end))) continue
      found.set(`${match.rule} ${match.start} ${match.end}`, match)
    }
  }
  return [...found.values()]
}

function matchOf(ruleId: string, messageId: string, start: number, end: number): SecretMatch {
  const kind = ruleId.replace('@secretlint/secretlint-rule-', '')
  return { rule: `secretlint/${kind}`, words: `what secretlint calls ${kind} (${messageId})`, start, end }
}

const kindsWithPlaceholders = new Set(['secretlint/github', 'secretlint/gitlab', 'secretlint/slack'])

/** `ghp_xxxx...` in a guide has the form of a token, and no server would take it. */
function isPlaceholder(rule: string, value: string): boolean {
  if (!kindsWithPlaceholders.has(rule)) return false
  const last = value.split(/[^A-Za-z0-9]/).at(-1) ?? ''
  return !isVaried(value) || (last.length >= 16 && distinctCharacters(last) < 6)
}

/** Where each piece begins; at the start of a line where one is near, so that no token looks like the end of a word. */
function piecesOf(text: string): number[] {
  const starts = [0]
  let start = 0
  while (start + pieceCharacters < text.length) {
    const next = start + pieceCharacters - overlapCharacters
    const line = text.slice(next - overlapCharacters, next).lastIndexOf('\n')
    start = line === -1 ? next : next - overlapCharacters + line + 1
    starts.push(start)
  }
  return starts
}
