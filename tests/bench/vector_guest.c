/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest of vector.sh, which is its init: loops of AVX2 and, where CPUID has it, AVX-512.  For each a line
 * "VECTOR name nanoseconds-a-round checksum".
 */
#include <fcntl.h>
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BYTES = 16384, FLOATS = BYTES / 4, WORDS = BYTES / 4 };

static _Alignas(64) uint8_t in[BYTES], out[BYTES];

#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))

AVX2 static void
fma_avx2(void)
{
	float *x = (float *)in, *y = (float *)out;
	__m256 a = _mm256_set1_ps(0.75f), b = _mm256_set1_ps(1e-3f);

	for (int n = 0; n < FLOATS; n += 8)
		_mm256_store_ps(y + n, _mm256_fmadd_ps(_mm256_load_ps(y + n), a, _mm256_add_ps(_mm256_load_ps(x + n), b)));
}

AVX2 static void
integer_avx2(void)
{
	for (int n = 0; n < BYTES; n += 32) {
		__m256i x = _mm256_load_si256((__m256i *)(in + n)), y = _mm256_load_si256((__m256i *)(out + n));

		y = _mm256_add_epi32(_mm256_mullo_epi32(y, _mm256_set1_epi32(1664525)), x);
		y = _mm256_xor_si256(y, _mm256_srlv_epi32(y, _mm256_set1_epi32(13)));
		_mm256_store_si256((__m256i *)(out + n), y);
	}
}

AVX2 static void
bytes_avx2(void)
{
	__m256i table = _mm256_load_si256((__m256i *)in), low = _mm256_set1_epi8(15);

	for (int n = 0; n < BYTES; n += 32) {
		__m256i x = _mm256_load_si256((__m256i *)(in + n));
		__m256i y = _mm256_shuffle_epi8(table, _mm256_and_si256(x, low));

		_mm256_store_si256((__m256i *)(out + n), _mm256_blendv_epi8(_mm256_adds_epu8(y, x), y, _mm256_cmpgt_epi8(x, low)));
	}
}

AVX512 static void
fma_avx512(void)
{
	float *x = (float *)in, *y = (float *)out;
	__m512 a = _mm512_set1_ps(0.75f), b = _mm512_set1_ps(1e-3f);

	for (int n = 0; n < FLOATS; n += 16)
		_mm512_store_ps(y + n, _mm512_fmadd_ps(_mm512_load_ps(y + n), a, _mm512_add_ps(_mm512_load_ps(x + n), b)));
}

AVX512 static void
masked_avx512(void)
{
	uint32_t *x = (uint32_t *)in, *y = (uint32_t *)out;

	for (int n = 0; n < WORDS; n += 16) {
		__m512i v = _mm512_load_si512(x + n), w = _mm512_load_si512(y + n);
		__mmask16 k = _mm512_cmplt_epu32_mask(v, w);

		w = _mm512_mask_sub_epi32(_mm512_rol_epi32(w, 7), k, w, v);
		_mm512_store_si512(y + n, _mm512_ternarylogic_epi32(w, v, _mm512_set1_epi32(0x9e3779b9), 0x96));
	}
}

AVX512 static void
permute_avx512(void)
{
	__m512i index = _mm512_load_si512(in);

	for (int n = 0; n < BYTES; n += 64) {
		__m512i v = _mm512_permutexvar_epi16(index, _mm512_load_si512(in + n));

		_mm512_store_si512(out + n, _mm512_maskz_adds_epu8(_mm512_movepi8_mask(v), v, _mm512_load_si512(out + n)));
	}
}

AVX2 static void
gather_avx2(void)
{
	__m256i last = _mm256_set1_epi32(WORDS - 1);

	for (int n = 0; n < WORDS; n += 8) {
		__m256i index = _mm256_and_si256(_mm256_load_si256((__m256i *)(in + 4 * n)), last);
		__m256i v = _mm256_i32gather_epi32((const int *)in, index, 4);

		_mm256_store_si256((__m256i *)(out + 4 * n), _mm256_add_epi32(v, index));
	}
}

AVX512 static void
gather_avx512(void)
{
	__m512i last = _mm512_set1_epi32(WORDS - 1);

	for (int n = 0; n < WORDS; n += 16) {
		__m512i index = _mm512_and_si512(_mm512_load_si512(in + 4 * n), last);
		__m512i v = _mm512_i32gather_epi32(index, in, 4);

		_mm512_store_si512(out + 4 * n, _mm512_add_epi32(v, index));
	}
}

AVX512 static void
scatter_avx512(void)
{
	__m512i last = _mm512_set1_epi32(WORDS - 1);

	for (int n = 0; n < WORDS; n += 16) {
		__m512i v = _mm512_load_si512(in + 4 * n);

		_mm512_i32scatter_epi32(out, _mm512_and_si512(v, last), v, 4);
	}
}

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Small numbers, so that sums stay finite. */
static void
fill(void)
{
	uint32_t v = 1;

	for (int n = 0; n < BYTES; n += 4) {
		float f;

		v = v * 1103515245 + 12345;
		f = (float)(v >> 8) / (1 << 24);
		memcpy(in + n, &f, 4);
	}
	memset(out, 0, sizeof(out));
}

static void
measure(const char *name, void (*loop)(void))
{
	enum { BATCH = 64, LONG_NS = 300000000 };
	uint64_t start, end, rounds = 0, sum = 0, word;

	fill();
	for (int n = 0; n < BATCH; n++)
		loop();
	for (int n = 0; n < BYTES; n += 8) {
		memcpy(&word, out + n, 8);
		sum = sum * 31 + word;
	}
	start = now();
	do {
		for (int n = 0; n < BATCH; n++)
			loop();
		rounds += BATCH;
		end = now();
	} while (end - start < LONG_NS);
	printf("VECTOR %s %llu %016llx\n", name, (unsigned long long)((end - start) / rounds), (unsigned long long)sum);
}

static void
open_console(void)
{
	int console;

	mkdir("/dev", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	console = open("/dev/ttyS0", O_WRONLY);
	if (console >= 0)
		dup2(console, STDOUT_FILENO);
}

int
main(void)
{
	if (getpid() == 1)
		open_console();
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
		measure("fma-avx2", fma_avx2);
		measure("integer-avx2", integer_avx2);
		measure("bytes-avx2", bytes_avx2);
		measure("gather-avx2", gather_avx2);
	}
	if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
		measure("fma-avx512", fma_avx512);
		measure("masked-avx512", masked_avx512);
		measure("permute-avx512", permute_avx512);
		measure("gather-avx512", gather_avx512);
		measure("scatter-avx512", scatter_avx512);
	}
	fflush(stdout);
	if (getpid() == 1) {
		sync();
		reboot(RB_POWER_OFF);
	}
	return 0;
}
