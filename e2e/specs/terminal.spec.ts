import { test } from '../fixtures/console.ts'
import { demoInStep } from '../fixtures/demo.ts'
import { TerminalDock } from '../pages/terminal.ts'

test.describe.configure({ mode: 'serial' })

test('a terminal on a node answers what is typed', async ({ console, engine, shot }) => {
  await demoInStep(engine, 3)
  const terminal = new TerminalDock(console)
  await terminal.openOn('worker-01')
  await terminal.type('worker-01', 'echo "answer: $((40 + 2))"')
  await terminal.expectText('worker-01', /answer: 42/)
  await shot('terminal')
})

test('it is still there, with its text, after the page was loaded again', async ({ console }) => {
  await console.reload()
  const terminal = new TerminalDock(console)
  if (!(await terminal.dock.isVisible())) await console.keyboard.press('Control+`')
  await terminal.expectText('worker-01', /answer: 42/)
  await terminal.type('worker-01', 'echo "again: $((20 + 3))"')
  await terminal.expectText('worker-01', /again: 23/)
})
