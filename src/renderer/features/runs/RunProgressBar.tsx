import type { RunProgress } from '../../../shared/model/run.ts'
import { formatBytes, formatCount, formatDuration, formatRate } from '../../components/format.ts'

/** What is moving now: share, bytes, rate, time left. Without a known total the bar only says that it moves. */
export function RunProgressBar({ progress }: { readonly progress: RunProgress }) {
  const { bytes, totalBytes, files, bytesPerSecond, remainingMs, direction } = progress
  const share = totalBytes === null || totalBytes === 0 ? null : Math.min(1, bytes / totalBytes)
  return (
    <div className="flex flex-col gap-1">
      <div
        role="progressbar"
        aria-label={direction === 'push' ? 'Pushing' : 'Pulling'}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={share === null ? undefined : Math.round(share * 100)}
        className="h-1.5 overflow-hidden rounded-full bg-line"
      >
        {share === null ? (
          <div className="h-full w-2/5 animate-travel bg-busy" />
        ) : (
          <div className="h-full bg-busy" style={{ width: `${share * 100}%` }} />
        )}
      </div>
      <div className="flex flex-wrap gap-x-4 text-12 text-muted">
        <span>{direction === 'push' ? 'Pushing' : 'Pulling'}</span>
        {share !== null && <span className="text-text">{Math.floor(share * 100)} %</span>}
        <span>
          {formatBytes(bytes)}
          {totalBytes !== null && ` of ${formatBytes(totalBytes)}`}
        </span>
        <span>{formatCount(files)} files</span>
        <span>{formatRate(bytesPerSecond)}</span>
        {remainingMs !== null && <span>{formatDuration(remainingMs)} left</span>}
      </div>
    </div>
  )
}
