/** One shortcut, e.g. `keys="g f"` or `keys="Ctrl K"`: a space stands between keys. */
export function KeyHint({ keys }: { readonly keys: string }) {
  return (
    <span className="inline-flex gap-0.5" aria-hidden>
      {keys.split(' ').map((key) => (
        <kbd
          key={key}
          className="min-w-5 rounded-sm border border-line-strong bg-ground px-1 text-center text-12 text-muted"
        >
          {key}
        </kbd>
      ))}
    </span>
  )
}
