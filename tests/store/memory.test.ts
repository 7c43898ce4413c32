/** The contract, in memory. */
import { openMemory } from '../../store/memory.ts'
import { storeContract } from './contract.ts'
import { proofCases } from './contract-proof.ts'

storeContract('store in memory', () => Promise.resolve(openMemory()), proofCases).run()
