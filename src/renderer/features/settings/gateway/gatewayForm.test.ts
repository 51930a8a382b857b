import { describe, expect, it } from 'vitest'
import { type GatewayFormState, gatewayCli, reachSentence, readGatewayForm } from './gatewayForm.ts'

const form = (change: Partial<GatewayFormState>): GatewayFormState => ({
  address: '10.0.0.5',
  port: '8443',
  names: '',
  ...change,
})
const problemsOf = (change: Partial<GatewayFormState>): readonly string[] => {
  const read = readGatewayForm(form(change))
  return 'problems' in read ? Object.keys(read.problems) : []
}

describe('the gateway form', () => {
  it('takes the address for a name when none is given', () => {
    expect(readGatewayForm(form({}))).toEqual({ settings: { address: '10.0.0.5', port: 8443, names: ['10.0.0.5'] } })
  })

  it('reads names between spaces and commas', () => {
    expect(readGatewayForm(form({ names: ' control.internal, 10.0.0.5  fd00::1' }))).toMatchObject({
      settings: { names: ['control.internal', '10.0.0.5', 'fd00::1'] },
    })
  })

  it.each([
    ['a host name to bind', { address: 'control.internal' }, ['address']],
    ['no address', { address: '' }, ['address']],
    ['no port', { port: '' }, ['port']],
    ['a port that is none', { port: '99999' }, ['port']],
    ['a name with a slash', { names: 'https://control' }, ['names']],
    ['every address and no name: nobody reaches a machine at 0.0.0.0', { address: '0.0.0.0' }, ['names']],
  ])('refuses %s', (_, change, fields) => {
    expect(problemsOf(change)).toEqual(fields)
  })

  it('says who will be able to knock', () => {
    expect(reachSentence({ address: '0.0.0.0' })).toMatch(/^Every network/)
    expect(reachSentence({ address: '::' })).toMatch(/^Every network/)
    expect(reachSentence({ address: '127.0.0.1' })).toMatch(/^Only programs on this machine/)
    expect(reachSentence({ address: '10.0.0.5' })).toMatch(/^Whoever reaches 10\.0\.0\.5/)
  })

  it('gives the command that does the same', () => {
    expect(gatewayCli.enable({ address: '10.0.0.5', port: 0, names: ['a.lan', '10.0.0.5'] })).toBe(
      'lockstep gateway enable --address 10.0.0.5 --port 0 --name a.lan --name 10.0.0.5',
    )
  })
})
