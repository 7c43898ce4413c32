/** Both releases' terminal user interface, in a terminal of its own. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { type Release, type Row, says, type Seen } from '../row.ts'
import type { Scene } from '../scene.ts'

const MESSAGE = 'hi from the terminal'
const END_MS = 15_000
const CTRL_C = '\u0003'

async function run(scene: Scene): Promise<Seen> {
  const typescript = join(scene.artefacts, `tui-${scene.target.port}.txt`)
  const { url, target } = scene
  const gateway = `--url ${url} --token ${target.token}`
  const command = `stty rows 40 cols 120; ${scene.node} ${scene.cliPath} tui ${gateway} --message '${MESSAGE}'`
  const script = scene.start('/usr/bin/script', ['-qfc', command, typescript])
  await script.says(new RegExp(`echo: [^]*${MESSAGE}`))
  const timer = setTimeout(script.kill, END_MS)
  script.child.stdin.write(CTRL_C + CTRL_C)
  const code = await script.ended
  clearTimeout(timer)
  return { code, text: stripVTControlCharacters(readFileSync(typescript, 'utf8')) }
}

function tui(release: Release): Row {
  return {
    name: release === 'new' ? 'tui' : 'old tui',
    release,
    needs: release === 'new' ? ['node24', 'openclaw'] : ['node22', 'old'],
    run,
    expect: [says(/gateway connected|connected/), says(new RegExp(`echo: [^]*${MESSAGE}`))],
  }
}

export const tuiRows: readonly Row[] = [tui('new'), tui('old')]
