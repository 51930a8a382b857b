import { useRef } from 'react'
import { classNames } from '../../components/classNames.ts'
import type { PlanProblem } from './planDocument.ts'

interface YamlEditorProps {
  readonly text: string
  readonly problems: readonly PlanProblem[]
  readonly onChange: (text: string) => void
  readonly describedBy: string
}

/** A plain text area with line numbers: it works with every input method and screen reader. */
export function YamlEditor({ text, problems, onChange, describedBy }: YamlEditorProps) {
  const gutter = useRef<HTMLDivElement>(null)
  const bad = new Set(problems.map((problem) => problem.line))
  const lineCount = text.split('\n').length
  return (
    <div className="flex h-full min-h-0 bg-ground font-mono text-13 leading-5">
      <div
        ref={gutter}
        aria-hidden
        className="w-12 shrink-0 overflow-hidden border-r py-3 text-right text-faint select-none"
      >
        {Array.from({ length: lineCount }, (_, at) => at + 1).map((line) => (
          <div
            key={line}
            className={classNames('border-r-2 pr-2', bad.has(line) ? 'border-error text-error' : 'border-transparent')}
          >
            {line}
          </div>
        ))}
        <div className="h-8" />
      </div>
      <textarea
        aria-label="Plans as YAML"
        aria-describedby={describedBy}
        aria-invalid={problems.length > 0}
        spellCheck={false}
        autoCapitalize="off"
        autoCorrect="off"
        wrap="off"
        value={text}
        onChange={(event) => onChange(event.target.value)}
        onScroll={(event) => {
          if (gutter.current !== null) gutter.current.scrollTop = event.currentTarget.scrollTop
        }}
        className="min-w-0 flex-1 resize-none bg-transparent p-3 text-text outline-none focus-visible:shadow-[inset_2px_0_0_var(--accent)]"
      />
    </div>
  )
}
