import { startDeployer } from './deployer.testing.ts'

// For the test that kills a deployer: runs one in a process of its own, with the settings of its environment.
const { port } = await startDeployer(process.env as Record<string, string>)
process.send?.(port)
