/** Comments by which a file asks scanners to look away. Nothing in the searched files decides what is searched. */
const directive =
  /secretlint-disable|gitleaks:allow|pragma:[ \t]{0,8}(?:allow|white)list[ \t]{1,8}(?:nextline[ \t]{1,8})?secret|trufflehog:ignore|ggignore/gi

/** Files by which a tree asks the same, when they lie in its root. */
const directiveFiles = new Set([
  '.gitleaksignore',
  '.gitleaks.toml',
  '.secretlintignore',
  '.secretlintrc',
  '.secretlintrc.json',
  '.secretlintrc.yml',
  '.secrets.baseline',
])

/** Does this file of the root tell scanners what to leave out? */
export function isDirectiveFile(path: string): boolean {
  return directiveFiles.has(path)
}

/** Places of such comments, ascending. */
export function findDirectives(text: string): number[] {
  return [...text.matchAll(directive)].map((match) => match.index)
}

/** The same text, of the same length and with the same lines, in which no scanner sees them. */
export function withoutDirectives(text: string): string {
  return text.replaceAll(directive, (found) => '#'.repeat(found.length))
}
