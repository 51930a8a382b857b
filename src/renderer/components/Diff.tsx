import { classNames } from './classNames.ts'

const lineClass: Readonly<Record<string, string>> = {
  '+': 'bg-in-step/20 text-text',
  '-': 'bg-error/20 text-text',
  '@': 'text-faint',
}

/** A unified diff: what comes is marked with +, what goes with -, and colour repeats it. */
export function Diff({ text, label }: { readonly text: string; readonly label: string }) {
  const lines = text
    .trimEnd()
    .split('\n')
    .filter((line) => !/^(?:---|\+\+\+) /.test(line))
  return (
    <section
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable with the keyboard
      tabIndex={0}
      aria-label={label}
      className="max-h-80 overflow-auto rounded-md border bg-ground py-1 font-mono text-12 leading-5"
    >
      {lines.map((line, index) => (
        <pre
          // biome-ignore lint/suspicious/noArrayIndexKey: the lines of a diff never move
          key={index}
          className={classNames('min-w-fit px-2', lineClass[line.charAt(0)] ?? 'text-muted')}
        >
          {line === '' ? ' ' : line}
        </pre>
      ))}
    </section>
  )
}
