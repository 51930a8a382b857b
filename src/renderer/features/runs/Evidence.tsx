/** Lines as they were seen; nothing where there are none. */
export function Evidence({ lines }: { readonly lines: readonly string[] }) {
  if (lines.length === 0) return null
  return (
    <pre className="max-h-40 overflow-auto rounded-md border bg-ground p-2 text-12 whitespace-pre-wrap text-muted">
      {lines.join('\n')}
    </pre>
  )
}
