/**
 * A writer to be killed, fenced or starved: appends without end, 16 at a time.
 *
 *   node writer-child.js <directory> <stream>
 *   stdout   `ack <position> <version>` after each append, `failed <code>` at the end
 *
 * Writes to a pipe block until they are taken, so an acknowledgement that was printed is read.
 */
import { toGatewayError } from '../../protocol/errors.ts'
import { openLmdb } from '../../store/lmdb/open.ts'
import { body, draft } from './contract.ts'

const [, , directory = '.', stream = 'run:child'] = process.argv
const store = await openLmdb({ directory, verify: false })
void store.failed.then((reason) => {
  process.stdout.write(`failed ${toGatewayError(reason).code}\n`)
  process.exit(7)
})

let version = store.version(stream)
const acknowledged: Promise<void>[] = []
for (;;) {
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
}
