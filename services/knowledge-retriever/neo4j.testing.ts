import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import neo4j from 'neo4j-driver'
import { eventually } from '../platform/eventually.testing.ts'
import { endProgram, findProgram, startProgram } from '../platform/programs.testing.ts'
import { freePorts } from '../platform/testing.ts'

/** The folder with the server's jars: see tools/neo4j/pom.xml. */
const home = process.env.NEXUS_TEST_NEO4J_HOME
const java = findProgram('java', 'NEXUS_TEST_JAVA')
const startTimeoutMs = 120_000
const password = 'for tests only'

/** For `skip`: why the tests that need Neo4j do not run, or false when they do. Errors: Error when the variable names no such folder. */
export const withoutNeo4j = whyNot()

function whyNot(): string | false {
  if (!home) {
    return 'Neo4j is not here: fetch it by `mvn -f tools/neo4j/pom.xml dependency:copy-dependencies -DoutputDirectory=<folder>` and set NEXUS_TEST_NEO4J_HOME to that folder'
  }
  if (!existsSync(home) || !readdirSync(home).some((file) => /^neo4j-server-.*\.jar$/.test(file))) {
    throw new Error(`NEXUS_TEST_NEO4J_HOME=${home} is not a folder with the jars of a Neo4j server`)
  }
  return java ? false : 'Neo4j cannot start: java is not on PATH'
}

/** A Neo4j of a test's own: on a free port, with its data in a temporary folder. */
export interface TestNeo4j {
  /** With user and password, on the scheme `bolt:`. */
  readonly url: string
  readonly port: number
  readonly password: string
  start(): Promise<void>
  /** SIGTERM lets it write what it has, SIGKILL does not. */
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** SIGSTOP: it keeps its connections and answers nothing. */
  freeze(): void
  thaw(): void
  /** Runs a query past the store, as its owner or someone else could; gives the rows. */
  query(cypher: string, parameters?: Record<string, unknown>): Promise<Record<string, unknown>[]>
  /** The same, while the server has another password. */
  queryAs(password: string, cypher: string): Promise<Record<string, unknown>[]>
  /** Ends all connections, so that the next call has to show its password again. */
  dropConnections(password: string): Promise<void>
  /** Forgets everything, so that the next test begins with an empty one. */
  empty(): Promise<void>
  close(): Promise<void>
}

/** Starts it: about ten seconds the first time. */
export async function startTestNeo4j(): Promise<TestNeo4j> {
  const [port = 0] = await freePorts(1)
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-neo4j-'))
  prepareFolder(folder, port)
  const uri = `bolt://127.0.0.1:${port}`
  const query = (cypher: string, parameters = {}) => queryAs(uri, password, cypher, parameters)
  let child: ChildProcess | undefined
  const start = async () => {
    if (child && child.exitCode === null && child.signalCode === null) return
    child = startProgram(java ?? 'java', argumentsFor(folder))
    await eventually('Neo4j answers', () => query('RETURN 1').catch(isRefusal), startTimeoutMs)
  }
  const stop = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (child) await endProgram(child, signal)
  }
  try {
    await start()
    const change = `ALTER CURRENT USER SET PASSWORD FROM 'neo4j' TO '${password}'`
    await queryAs(uri, 'neo4j', change, {}, 'system')
  } catch (error) {
    await stop('SIGKILL')
    throw error
  }
  return {
    url: `bolt://neo4j:${encodeURIComponent(password)}@127.0.0.1:${port}`,
    port,
    password,
    start,
    stop,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    query,
    queryAs: (password, cypher) => queryAs(uri, password, cypher, {}),
    dropConnections: async (password) => {
      const kill = `CALL dbms.listConnections() YIELD connectionId WITH collect(connectionId) AS ids
        CALL dbms.killConnections(ids) YIELD message RETURN message`
      // Its own connection ends as well.
      await queryAs(uri, password, kill, {}).catch(() => {})
    },
    empty: async () => {
      await query('MATCH (n) DETACH DELETE n')
    },
    close: async () => {
      await stop('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Before its password is changed, a Neo4j that is there refuses everybody. */
function isRefusal(error: unknown): boolean {
  return /Security\./.test((error as { code?: string }).code ?? '')
}

function prepareFolder(folder: string, port: number): void {
  mkdirSync(path.join(folder, 'conf'))
  const settings = {
    'server.bolt.listen_address': `127.0.0.1:${port}`,
    'server.bolt.advertised_address': `127.0.0.1:${port}`,
    'server.http.enabled': false,
    'server.https.enabled': false,
    'server.memory.pagecache.size': '64m',
    'dbms.usage_report.enabled': false,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(path.join(folder, 'conf', 'neo4j.conf'), lines.join(''))
}

function argumentsFor(folder: string): string[] {
  const opened = ['java.nio', 'java.io', 'java.util.concurrent', 'sun.nio.ch']
  return [
    // Tests start it for seconds: the compiler that starts fast serves them best.
    ...['-Xms128m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'],
    ...opened.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
    ...['-cp', `${home}/*`, 'org.neo4j.server.CommunityEntryPoint'],
    ...[`--home-dir=${folder}`, `--config-dir=${path.join(folder, 'conf')}`],
  ]
}

async function queryAs(
  uri: string,
  password: string,
  cypher: string,
  parameters: Record<string, unknown>,
  database = 'neo4j',
): Promise<Record<string, unknown>[]> {
  const options = { disableLosslessIntegers: true, connectionTimeout: 1_000, maxTransactionRetryTime: 0 }
  const driver = neo4j.driver(uri, neo4j.auth.basic('neo4j', password), options)
  try {
    const { records } = await driver.executeQuery(cypher, parameters, { database })
    return records.map((record) => record.toObject())
  } finally {
    await driver.close()
  }
}
