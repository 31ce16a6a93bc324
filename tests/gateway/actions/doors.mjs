// Runs actions with the SDK, one after the other: standard input has them as JSON, and what each
// was answered, or why it failed, is printed as JSON.
import { readFileSync } from 'node:fs'
import { MembraneClient } from '@membranehq/sdk'
const [apiUri, token] = process.argv.slice(2)
const client = new MembraneClient({ token, apiUri })
const told = []
for (const { action, input, connectionId } of JSON.parse(readFileSync(0, 'utf8'))) {
  try {
    told.push({ done: await client.action(action).run(input, { connectionId }) })
  } catch (error) {
    told.push({ refused: error.data })
  }
}
console.log(JSON.stringify(told))
