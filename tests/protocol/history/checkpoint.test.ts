/** Signed heads: their text, what is refused, and whose signature counts. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import * as assert from 'uvu/assert'
import { sha256 } from '../../../protocol/codec.ts'
import {
  formatVerifier,
  parseCheckpoint,
  parseVerifier,
  signCheckpoint,
  type Verifier,
  verifierOf,
  verifyCheckpoint,
} from '../../../protocol/history/checkpoint.ts'
import { cases } from '../../store/cases.ts'
import { refusal } from '../../store/contract.ts'

const heads = cases('checkpoint')

function newKey(): { privateKey: KeyObject; verifier: Verifier } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  return { privateKey, verifier: verifierOf(raw) }
}

const { privateKey, verifier } = newKey()
const tree = { size: 1_842, root: sha256('root') }
const note = signCheckpoint(tree, verifier, privateKey)

heads('C2SP a signed head has the form of a checkpoint and reads back', () => {
  const root = Buffer.from(tree.root).toString('base64')
  const name = verifier.name.replace('/', '\\/')

  assert.match(verifier.name, /^openclaw-gateway\/[0-9a-f]{16}$/)
  assert.ok(note.startsWith(`${verifier.name}\n1842\n${root}\n\n`))
  assert.match(note, new RegExp(`\\n\\n— ${name} [A-Za-z0-9+/]{91}=\\n$`))
  const read = verifyCheckpoint(note, verifier)
  assert.is(read.size, tree.size)
  assert.equal(Buffer.from(read.root), Buffer.from(tree.root))
})

heads('C2SP the same key gives the known text', () => {
  // RFC 8032, 7.1, test 1: the secret and public key.
  const seed = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'
  const secret = '302e020100300506032b657004220420' + seed
  const key = createPrivateKey({ key: Buffer.from(secret, 'hex'), format: 'der', type: 'pkcs8' })
  const raw = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex')
  const known = verifierOf(raw)

  assert.is(
    formatVerifier(known),
    `${known.name}+${formatVerifier(known).split('+')[1]!}+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea`,
  )
  const text = signCheckpoint({ size: 0, root: sha256('') }, known, key)
  assert.is(verifyCheckpoint(text, known).size, 0)
  assert.is(text, signCheckpoint({ size: 0, root: sha256('') }, known, key))
})

heads('C2SP a key reads back from its word, and one with another id is refused', async () => {
  const word = formatVerifier(verifier)
  const [name, id, key] = [word.split('+')[0]!, word.split('+')[1]!, word.split('+').slice(2)]

  assert.equal(Buffer.from(parseVerifier(word).publicKey), Buffer.from(verifier.publicKey))
  const other = id === '00000000' ? '00000001' : '00000000'
  for (const bad of [
    '',
    'name',
    `${name}+${other}+${key.join('+')}`,
    `other+${id}+${key.join('+')}`,
    `${name}+${id}+AAAA`,
    `${name}+${id}+!!!!`,
  ]) {
    await refusal(() => parseVerifier(bad), 'PROOF_INVALID')
  }
})

heads('C2SP what is not a checkpoint is refused', async () => {
  const [origin = '', size = '', root = '', , signature = ''] = note.split('\n')
  const text = (...lines: string[]): string => `${lines.join('\n')}\n`
  const bad = [
    '',
    'hello',
    note.slice(0, -1),
    text(origin, size, root, signature),
    text(origin, size, root, '', ''),
    text(origin, size, root, '', 'no dash'),
    text(origin, size, root, '', signature, ''),
    text(origin, size, root, '', `${signature} more`),
    text(origin, size, root, '', signature.replace('— ', '- ')),
    text('', size, root, '', signature),
    text('a b', size, root, '', signature),
    text(origin, '-1', root, '', signature),
    text(origin, '01', root, '', signature),
    text(origin, '1e3', root, '', signature),
    text(origin, '9'.repeat(16), root, '', signature),
    text(origin, size, root.slice(4), '', signature),
    text(origin, size, `${root} `, '', signature),
    text(origin, size, root, 'extension', '', signature),
    note + 'x'.repeat(5_000) + '\n',
  ]
  for (const each of bad) await refusal(() => parseCheckpoint(each), 'PROOF_INVALID')
})

heads('C2SP a changed head, or one that another key signed, does not verify', async () => {
  const other = newKey()
  const root = Buffer.from(tree.root).toString('base64')
  const changed = [
    note.replace('\n1842\n', '\n1843\n'),
    note.replace(root, Buffer.from(sha256('other')).toString('base64')),
    note.replaceAll(verifier.name, other.verifier.name),
    signCheckpoint(tree, other.verifier, other.privateKey),
    signCheckpoint(tree, verifier, other.privateKey),
  ]

  for (const each of changed) {
    await refusal(() => verifyCheckpoint(each, verifier), 'PROOF_INVALID')
  }
  await refusal(() => verifyCheckpoint(note, other.verifier), 'PROOF_INVALID')
})

heads('C2SP lines of other witnesses do no harm', () => {
  const witness = `— example.org/witness ${Buffer.alloc(68, 1).toString('base64')}\n`

  assert.is(verifyCheckpoint(note + witness, verifier).size, tree.size)
})

heads.run()
