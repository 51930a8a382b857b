import { cleanup, fireEvent, screen, waitFor } from '@testing-library/react'
import { afterEach, expect, it, vi } from 'vitest'
import type { ControlPlane } from '../../../shared/controlPlane.ts'
import type { EngineStateReport } from '../../../shared/desktopBridge.ts'
import type { DesktopCalls } from '../../api/link.ts'
import { createFakeLink } from '../../api/links/fake.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { overlays } from '../../stores/overlays.ts'
import { activeShortcuts } from '../../stores/shortcuts.ts'
import { ConnectDialog } from './ConnectDialog.tsx'
import { RemoteStrip } from './RemoteStrip.tsx'

const own: EngineStateReport = { state: 'running', owner: 'desktop', remote: null, error: null }

function desktopWith(recent: readonly ControlPlane[]) {
  let report = own
  const connectTo = vi.fn(async (controlPlane: ControlPlane | null) =>
    tell({ ...own, owner: controlPlane === null ? 'desktop' : 'remote', remote: controlPlane }),
  )
  const listeners = new Set<(report: EngineStateReport) => void>()
  const tell = (next: EngineStateReport): void => {
    report = next
    for (const listener of listeners) listener(report)
  }
  const desktop: DesktopCalls = {
    onEngineState: (listener) => {
      listeners.add(listener)
      listener(report)
      return () => listeners.delete(listener)
    },
    restartEngine: () => undefined,
    connectTo,
    recentControlPlanes: async () => recent,
    onNavigate: () => () => undefined,
    onCommand: () => () => undefined,
    openWindow: () => undefined,
  }
  return { desktop, connectTo }
}

const link = createFakeLink({ nodes: [], plans: [], nowMs: () => 0 })
let stop = (): void => undefined

afterEach(() => {
  stop()
  cleanup()
  overlays.setState({ connect: false })
})

async function show(recent: readonly ControlPlane[] = []) {
  const given = desktopWith(recent)
  const shown = createFakeLink({ nodes: [], plans: [], nowMs: () => 0 })
  const view = () => (
    <>
      <RemoteStrip />
      <ConnectDialog />
    </>
  )
  const { stop: end } = await renderView(
    view,
    { ...shown, shell: { ...link.shell, desktop: given.desktop } },
    '#/fleet',
  )
  stop = end
  return given
}

it('S1.92 S1F.4 connects to a host a person names, and says where the window is from then on', async () => {
  const { connectTo } = await show()
  activeShortcuts()
    .find(({ label }) => label === 'Connect to a control plane')
    ?.run()
  const host = await screen.findByLabelText('Host')
  fireEvent.change(host, { target: { value: '-oProxyCommand=id' } })
  fireEvent.click(screen.getByRole('button', { name: 'Connect' }))
  await screen.findByText(/Name it as user@host/)
  expect(connectTo).not.toHaveBeenCalled()

  fireEvent.change(host, { target: { value: ' ops@control:2222 ' } })
  fireEvent.click(screen.getByRole('button', { name: 'Connect' }))
  expect(connectTo).toHaveBeenCalledWith({ name: 'ops@control:2222', home: null })
  await waitFor(() => expect(screen.getByLabelText('Control plane').textContent).toContain('ops@control:2222'))
  expect(screen.queryByLabelText('Host')).toBeNull()
})

it('S1.92 offers those connected to before, and the way back to this machine', async () => {
  const known = { name: 'ops@control', home: '/srv/lockstep' }
  const { connectTo } = await show([known])
  overlays.setState({ connect: true })
  fireEvent.click(await screen.findByRole('button', { name: /ops@control.*\/srv\/lockstep/ }))
  expect(connectTo).toHaveBeenLastCalledWith(known)
  fireEvent.click(await screen.findByRole('button', { name: 'Change' }))
  fireEvent.click(await screen.findByRole('button', { name: 'Back to this machine' }))
  expect(connectTo).toHaveBeenLastCalledWith(null)
  await waitFor(() => expect(screen.queryByLabelText('Control plane')).toBeNull())
})
