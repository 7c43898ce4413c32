/** Pairing of devices with the command line: what waits, and what is paired. */
import { makePending, pairDevice } from '../raw-client.ts'
import { at, exits, json, type Row, says } from '../row.ts'
import type { Scene } from '../scene.ts'
import type { Seen } from '../row.ts'

function row(name: string, run: (scene: Scene) => Promise<Seen>, expect: Row['expect']): Row {
  return {
    name: `cli devices ${name}`,
    release: 'new',
    needs: ['node24', 'openclaw'],
    run,
    expect: [exits(0), ...expect],
  }
}

/** Ids of what a list of devices has. */
function idsOf(value: unknown, list: 'pending' | 'paired'): unknown[] {
  const rows = at(value, list)
  return Array.isArray(rows) ? rows.map((each: unknown) => at(each, 'deviceId')) : []
}

const TOKEN_OF = ['--role', 'operator', '--json']

export const deviceRows: readonly Row[] = [
  {
    ...row(
      'list',
      async (scene) => {
        const { device } = await makePending(scene.target)
        const seen = await scene.cli('devices', 'list', '--json')
        return { ...seen, text: `${seen.text}\nwaiting device: ${device.id}` }
      },
      [
        json('one waits', (value) => idsOf(value, 'pending').length > 0),
        json('one is paired', (value) => idsOf(value, 'paired').length > 0),
        json('no token is shown', (value) => !/"token":/.test(JSON.stringify(value))),
      ],
    ),
    isQuick: true,
  },
  row(
    'approve',
    async (scene) => {
      const { requestId } = await makePending(scene.target)
      return scene.cli('devices', 'approve', requestId, '--json')
    },
    [
      json('the device has both roles', (value) =>
        ['node', 'operator'].every((role) => JSON.stringify(at(value, 'device')).includes(role)),
      ),
    ],
  ),
  row(
    'reject',
    async (scene) => {
      const { requestId } = await makePending(scene.target)
      return scene.cli('devices', 'reject', requestId, '--json')
    },
    [json('the device is named', (value) => typeof at(value, 'deviceId') === 'string')],
  ),
  {
    ...row('approve of nothing', (scene) => scene.cli('devices', 'approve', 'no-such-request'), []),
    expect: [exits(1), says(/No pending device request matches|unknown requestId/)],
  },
  row(
    'rename',
    async (scene) => {
      const { id } = await pairDevice(scene.target)
      const named = await scene.cli('devices', 'rename', '--device', id, '--name', 'kitchen')
      const seen = await scene.cli('devices', 'list')
      return { code: named.code, text: `${named.text}\n${seen.text}` }
    },
    [says(/kitchen[^]*kitchen/)],
  ),
  row(
    'rotate',
    async (scene) => {
      const { id } = await pairDevice(scene.target)
      return scene.cli('devices', 'rotate', '--device', id, ...TOKEN_OF)
    },
    [json('the role is told', (value) => at(value, 'role') === 'operator')],
  ),
  row(
    'revoke',
    async (scene) => {
      const { id } = await pairDevice(scene.target)
      return scene.cli('devices', 'revoke', '--device', id, ...TOKEN_OF)
    },
    [json('the time is told', (value) => typeof at(value, 'revokedAtMs') === 'number')],
  ),
  row(
    'remove',
    async (scene) => {
      const { id } = await pairDevice(scene.target)
      return scene.cli('devices', 'remove', id, '--json')
    },
    [json('the device is named', (value) => typeof at(value, 'deviceId') === 'string')],
  ),
]
