import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import ts from 'typescript'
import { parse } from 'yaml'
import { inRoot, say, stop } from './lib/project.mjs'

const HELP = `Usage: node scripts/requirements.mjs [--check]

Makes docs/requirements/*.md: for each requirement in the .yaml beside it, the tests whose titles name it.
A requirement without a test, or a test that names one that does not exist, is an error.
--check writes nothing and fails when a table is not what it should be.`

const folder = inRoot('docs', 'requirements')
const id = /\b(?:S\d[A-Z]?|D)\.?\d+\b/g

/** Every `it`, `test` and `describe` with its title; a skipped one proves nothing. */
function titlesIn(file) {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, false)
  const titles = []
  const visit = (node) => {
    if (ts.isCallExpression(node)) {
      const callee = source.text.slice(node.expression.pos, node.expression.end).trim()
      const [first] = node.arguments
      const runs = /^(it|test|describe)\b/.test(callee) && !/^\w+\.(skip|todo|fixme)\b/.test(callee)
      if (runs && first !== undefined && (ts.isStringLiteralLike(first) || ts.isTemplateExpression(first)))
        titles.push(ts.isTemplateExpression(first) ? first.head.text : first.text)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return titles
}

function testFiles() {
  return ['src', 'test', 'e2e'].flatMap((top) =>
    readdirSync(inRoot(top), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(test|spec)\.tsx?$/.test(name))
      .map((name) => join(inRoot(top), name)),
  )
}

/** Requirement to its tests, each once, in the order of the files. */
function proofs() {
  const found = new Map()
  for (const file of testFiles().sort()) {
    for (const title of titlesIn(file)) {
      for (const [name] of title.matchAll(id)) {
        const tests = found.get(name) ?? []
        found.set(name, [...tests, { file: relative(inRoot('.'), file), title }])
      }
    }
  }
  return found
}

const inCell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

const mostListed = 4

function testsCell(tests) {
  const listed = tests
    .slice(0, mostListed)
    .map(({ file, title }) => `${inCell(title)} ([${file.split('/').at(-1)}](../../${file}))`)
  const more = tests.length > mostListed ? [`and ${tests.length - mostListed} more`] : []
  return [...listed, ...more].join('<br>')
}

function table({ title, requirements }, found) {
  const rows = Object.entries(requirements).map(
    ([name, words]) => `| ${name} | ${inCell(words)} | ${testsCell(found.get(name) ?? [])} |`,
  )
  return `# ${title}\n\nMade by \`node scripts/requirements.mjs\` from the titles of the tests.\n\n| id | what | proven by |\n|---|---|---|\n${rows.join('\n')}\n`
}

const [option] = process.argv.slice(2)
if (option === '--help' || option === '-h') {
  console.log(HELP)
} else {
  const found = proofs()
  const problems = []
  const groups = readdirSync(folder).filter((name) => name.endsWith('.yaml'))
  if (groups.length === 0) problems.push('docs/requirements holds no list')
  for (const group of groups.sort()) {
    const list = parse(readFileSync(join(folder, group), 'utf8'))
    const names = Object.keys(list.requirements)
    for (const name of names)
      if (!found.has(name)) problems.push(`${name} (${list.requirements[name]}): no test names it`)
    const prefix = names[0].split('.')[0]
    for (const [name, tests] of found)
      if (name.startsWith(`${prefix}.`) && !names.includes(name))
        problems.push(`${tests[0].file}: ${name} does not exist`)
    const file = join(folder, group.replace('.yaml', '.md'))
    const content = table(list, found)
    if (option === '--check') {
      const before = readdirSync(folder).includes(group.replace('.yaml', '.md')) ? readFileSync(file, 'utf8') : ''
      if (before !== content) problems.push(`${relative(inRoot('.'), file)} is old: run node scripts/requirements.mjs`)
    } else writeFileSync(file, content)
  }
  if (problems.length > 0) stop(problems.join('\n'))
  say(`${groups.length} table(s), every requirement has a test.`)
}
