import { useEffect } from 'react'
import { useLink } from '../../api/LinkContext.tsx'
import { engineNowMs } from '../../stores/clock.ts'
import { useReplicaHandle } from '../../stores/ReplicaContext.tsx'
import { StateWatch } from './stateNotices.ts'

/** Tells about changes of state while nobody looks at the window; whoever looks sees them on the map. */
export function useStateNotices(): void {
  const { shell } = useLink()
  const { store } = useReplicaHandle()
  useEffect(() => {
    const watch = new StateWatch()
    watch.look(store.getState().nodes, engineNowMs())
    return store.subscribe((state, before) => {
      if (state.nodes === before.nodes) return
      const notices = watch.look(state.nodes, engineNowMs())
      if (!document.hasFocus()) for (const notice of notices) shell.notify(notice)
    })
  }, [shell, store])
}
