/**
 * A writer to be killed, fenced or starved: appends without end, 16 at a time.
 *
 *   node writer-child.js <directory> <stream> [step]
 *   stdin    with `step`, each line lets it append 16 more
 *   stdout   `ack <position> <version>` after each append, `failed <code>` at the end
 */
import { once } from 'node:events'
import { toGatewayError } from '../../protocol/errors.ts'
import { openLmdb } from '../../store/lmdb/open.ts'
import { body, draft } from './contract.ts'

const [, , directory = '.', stream = 'run:child', step] = process.argv
const store = await openLmdb({ directory, verify: false })

const life = { ended: false }
let version = store.version(stream)
const acknowledged: Promise<void>[] = []
void endWith(store.failed)
while (!life.ended) {
  for (let i = 0; i < 16; i += 1) {
    const text = `${stream} ${version + 1}`
    const appended = store.append({ ...draft(stream, version, text), bodies: [body(text)] })
    version += 1
    acknowledged.push(
      appended.then(
        (at) => void process.stdout.write(`ack ${at.position} ${at.version}\n`),
        () => {},
      ),
    )
  }
  await Promise.all(acknowledged.splice(0))
  if (step !== undefined) await once(process.stdin, 'data')
}

async function endWith(failed: Promise<Error>): Promise<void> {
  const { code } = toGatewayError(await failed)
  life.ended = true
  process.stdout.write(`failed ${code}\n`, () => process.exit(7))
}
