/** `read` and `write`: what is the gateway's own is nobody's file. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { openFileTools } from '../../../actors/tools/files.ts'
import type { ToolArguments, ToolContext } from '../../../actors/tools/tool.ts'
import { messageOf } from '../../../protocol/errors.ts'
import { cases } from '../../store/cases.ts'

const files = cases('files of the workspace')

type Ask = (name: string, args: ToolArguments) => Promise<string>

/** Opens both over `home/WORKSPACE`, with the state in `home/state`. */
async function inHome(workspace: string, use: (ask: Ask, home: string) => Promise<void>) {
  const home = mkdtempSync(join(tmpdir(), 'openclaw-files-'))
  mkdirSync(join(home, 'state', 'work'), { recursive: true })
  writeFileSync(join(home, 'state', 'token'), 'secret')
  writeFileSync(join(home, 'state', 'work', 'note'), 'a note')
  writeFileSync(join(home, 'state-of-mind'), 'calm')
  const tools = openFileTools(() => join(home, workspace), {
    stateDir: join(home, 'state'),
    configPath: join(home, 'openclaw.json'),
  })
  const ask: Ask = async (name, args) => {
    const tool = tools.find((each) => each.name === name)
    try {
      return (await tool!.run(args, {} as ToolContext)).text
    } catch (error) {
      return messageOf(error)
    }
  }
  try {
    await use(ask, home)
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

files(
  'TO27 P28 a workspace that holds the state directory hands out none of it, nor its logs',
  async () => {
    await inHome('.', async (ask, home) => {
      for (const path of [
        'state/token',
        'state/logs/gateway.log',
        'state/work/note',
        'state/none/at/all',
        'state',
      ]) {
        assert.match(await ask('read', { path }), /belongs to the gateway/, path)
      }
      const written = await ask('write', { path: 'state/new/file', content: 'x' })
      assert.match(written, /belongs to the gateway/)
      assert.not.ok(existsSync(join(home, 'state', 'new')))
      assert.is(await ask('read', { path: 'state-of-mind' }), 'calm')
    })
    await inHome('state', async (ask) => {
      assert.match(await ask('read', { path: 'token' }), /belongs to the gateway/)
    })
  },
)

files('TO34 a configuration that lies in the workspace is neither read nor written', async () => {
  await inHome('.', async (ask, home) => {
    const wish = { path: 'openclaw.json', content: '{}' }
    assert.match(await ask('write', wish), /belongs to the gateway/)
    assert.not.ok(existsSync(join(home, 'openclaw.json')))
    writeFileSync(join(home, 'real.json'), '{ secret: 1 }')
    symlinkSync(join(home, 'real.json'), join(home, 'openclaw.json'))

    for (const path of ['openclaw.json', 'real.json']) {
      assert.match(await ask('read', { path }), /belongs to the gateway|it is a link/, path)
      assert.match(await ask('write', { path, content: '{}' }), /belongs to|it is a link/, path)
    }
    assert.is(readFileSync(join(home, 'real.json'), 'utf8'), '{ secret: 1 }')
  })
})

files('TO27 a folder of the state directory can be a workspace', async () => {
  await inHome('state/work', async (ask) => {
    assert.is(await ask('read', { path: 'note' }), 'a note')
    assert.match(await ask('read', { path: '../token' }), /outside of the workspace/)
  })
})

files.run()
