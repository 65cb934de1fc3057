import type Docker from 'dockerode'

/** Removes all containers and volumes with a label; what another has removed meanwhile is no error. */
export async function removeLabelled(docker: Docker, label: string): Promise<void> {
  const containers = await docker.listContainers({ all: true, filters: { label: [label] } })
  await Promise.allSettled(
    containers.map((each) => docker.getContainer(each.Id).remove({ force: true, v: true })),
  )
  const { Volumes: volumes } = await docker.listVolumes({
    filters: JSON.stringify({ label: [label] }) as never,
  })
  await Promise.allSettled((volumes ?? []).map((each) => docker.getVolume(each.Name).remove({ force: true })))
}
