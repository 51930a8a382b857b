import type { MenuItemConstructorOptions } from 'electron'
import { describe, expect, it, vi } from 'vitest'
import { menuTemplate } from './menu.ts'

function flatten(items: readonly MenuItemConstructorOptions[]): MenuItemConstructorOptions[] {
  return items.flatMap((item) => [item, ...flatten((item.submenu ?? []) as MenuItemConstructorOptions[])])
}

const actions = () => ({ openWindow: vi.fn(), navigate: vi.fn(), command: vi.fn() })

describe('menuTemplate', () => {
  it('has developer tools and reload in development only', () => {
    const roles = (isDevelopment: boolean) =>
      flatten(menuTemplate(actions(), { platform: 'linux', isDevelopment })).map(({ role }) => role)
    expect(roles(true)).toContain('toggleDevTools')
    expect(roles(false)).not.toContain('toggleDevTools')
    expect(roles(false)).not.toContain('reload')
  })

  it('goes to the views and opens the palette in the page', () => {
    const given = actions()
    const items = flatten(menuTemplate(given, { platform: 'darwin', isDevelopment: false }))
    for (const id of ['#/runs', 'palette']) {
      const click = items.find((item) => item.id === id)?.click as unknown as () => void
      click()
    }
    expect(given.navigate).toHaveBeenCalledWith('#/runs')
    expect(given.command).toHaveBeenCalledWith('palette')
    const connect = items.find((item) => item.id === 'connect')?.click as unknown as () => void
    connect()
    expect(given.command).toHaveBeenCalledWith('connect')
  })
})
