/* One rank: notes its node, its start and its end in a file of its own, and sleeps in between. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  int rank, size, length, sum;
  char host[MPI_MAX_PROCESSOR_NAME], path[4096];
  double begun = now();
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Get_processor_name(host, &length);
  /* Not MPI_Allreduce: two ranks that connect to each other at once crash Open MPI where nodes share one address. */
  MPI_Reduce(&rank, &sum, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD);
  MPI_Bcast(&sum, 1, MPI_INT, 0, MPI_COMM_WORLD);
  usleep((useconds_t)(atof(argv[2]) * 1e6));
  MPI_Finalize();
  snprintf(path, sizeof path, "%s/%s.%d", argv[1], getenv("GC_TASK_UUID"), rank);
  FILE *file = fopen(path, "w");
  if (file == NULL) return 1;
  fprintf(file, "%s %.6f %.6f %d %d\n", host, begun, now(), size, sum);
  return fclose(file) != 0;
}
