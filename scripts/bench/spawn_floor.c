/* The floor under every shell task: vfork, exec, reap, with so many in flight. cc -O2; spawn_floor N INFLIGHT PROGRAM
   prints "spawns/s CPU-us-per-spawn", the CPU time of the children included. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double cpu_us(int who) {
  struct rusage used;
  getrusage(who, &used);
  return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

int main(int count, char **words) {
  if (count < 4) return 64;
  int n = atoi(words[1]), most = atoi(words[2]), live = 0, status;
  char **arguments = words + 3, *environment[] = {"PATH=/usr/bin:/bin", 0};
  struct timespec begun, ended;
  clock_gettime(CLOCK_MONOTONIC, &begun);
  for (int i = 0; i < n; i++) {
    if (live >= most) {
      wait(&status);
      live--;
    }
    if (!vfork()) {
      execve(words[3], arguments, environment);
      _exit(127);
    }
    live++;
  }
  while (live-- > 0) wait(&status);
  clock_gettime(CLOCK_MONOTONIC, &ended);
  double seconds = (ended.tv_sec - begun.tv_sec) + (ended.tv_nsec - begun.tv_nsec) * 1e-9;
  printf("%.0f %.1f\n", n / seconds, (cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN)) / n);
  return 0;
}
