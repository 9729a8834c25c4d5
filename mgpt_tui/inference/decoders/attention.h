/* Attention to cached keys and values, which are bfloat16, and the exponential and GELU. */

#ifndef ATTENTION_H
#define ATTENTION_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX512F__) || defined(__FMA__)
#include <immintrin.h>
#elif defined(__ARM_FEATURE_FMA)
#include <arm_neon.h>
#endif

static inline float from_bfloat16(uint16_t bits)
{
    union { uint32_t bits; float value; } both = {(uint32_t)bits << 16};
    return both.value;
}

/* Round to nearest, ties to even. */
static inline uint16_t to_bfloat16(float value)
{
    union { float value; uint32_t bits; } both = {value};
    return (uint16_t)((both.bits + 0x7fff + ((both.bits >> 16) & 1)) >> 16);
}

/* e^x to within 2 units in the last place: 2^n * e^r with |r| <= ln(2) / 2, e^r by the
   polynomial of Cephes (Moshier 1989). The library's own is not vectorized. */
static inline float exponential(float x)
{
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    float n = floorf(x * 1.44269504f + 0.5f);
    float r = x - n * 0.693359375f + n * 2.12194440e-4f; /* ln(2), in two parts */
    float sum = 1.9875691500e-4f;
    sum = sum * r + 1.3981999507e-3f;
    sum = sum * r + 8.3334519073e-3f;
    sum = sum * r + 4.1665795894e-2f;
    sum = sum * r + 1.6666665459e-1f;
    sum = sum * r + 5.0000001201e-1f;
    union { uint32_t bits; float value; } power = {(uint32_t)((int32_t)n + 127) << 23};
    return (sum * r * r + r + 1.0f) * power.value;
}

/* 0.5 x (1 + tanh(u)) with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x / (1 + e^-2u). */
static inline float gelu(float x)
{
    return x / (1.0f + exponential(-1.5957691216f * (x + 0.044715f * x * x * x)));
}

/* 0.5 x (1 + erf(x / sqrt(2))), erf to within 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26). */
static inline float exact_gelu(float x)
{
    const float z = fabsf(x) * 0.70710678f, t = 1.0f / (1.0f + 0.3275911f * z);
    float sum = 1.061405429f;
    sum = sum * t - 1.453152027f;
    sum = sum * t + 1.421413741f;
    sum = sum * t - 0.284496736f;
    sum = sum * t + 0.254829592f;
    const float half = 0.5f * x * sum * t * exponential(-z * z); /* x (1 - erf(z)) / 2 */
    return x < 0 ? half : x - half;
}

/* Numbers that are computed with at once, as many as a vector of the processor has (of longer ones
   compilers make memory), and the vectors that there are: of any size, each number comes about by
   the same sums in the same order. */
#if defined(__AVX512F__)
enum { WIDE = 16, VECTORS = 32 };
#elif defined(__AVX__)
enum { WIDE = 8, VECTORS = 16 };
#else
enum { WIDE = 4, VECTORS = 16 };
#endif
typedef float floats __attribute__((vector_size(4 * WIDE)));
typedef uint16_t halves __attribute__((vector_size(2 * WIDE)));
typedef uint32_t words __attribute__((vector_size(4 * WIDE)));
enum {
    KEYS = 64,   /* side by side */
    AHEAD = 1024 /* numbers that are fetched before they are asked for */
};

/* x * y + z, rounded once where the processor can. Left to itself, a compiler rounds once in one
   loop and twice in another, so that a row would depend on how many there are. */
static inline __attribute__((always_inline)) floats fused(float x, floats y, floats z)
{
#if defined(__AVX512F__)
    return (floats)_mm512_fmadd_ps(_mm512_set1_ps(x), (__m512)y, (__m512)z);
#elif defined(__FMA__)
    return (floats)_mm256_fmadd_ps(_mm256_set1_ps(x), (__m256)y, (__m256)z);
#elif defined(__ARM_FEATURE_FMA)
    return (floats)vfmaq_n_f32((float32x4_t)z, (float32x4_t)y, x);
#else
    return x * y + z;
#endif
}

static inline float fused_one(float x, float y, float z)
{
#ifdef __FP_FAST_FMAF
    return fmaf(x, y, z);
#else
    return x * y + z;
#endif
}

static inline __attribute__((always_inline)) floats from_bfloat16s(const uint16_t *bits)
{
    halves narrow;
    memcpy(&narrow, bits, sizeof narrow);
    return (floats)(__builtin_convertvector(narrow, words) << 16);
}

/* Write key and value t of a head, which lie C and 2 C behind their query. Keys lie side by side
   number by number, (S / KEYS, D, KEYS), so that a query meets many of them at once. */
static inline void remember(
    const float *q, int C, int D, int t, uint16_t *keys, uint16_t *values)
{
    uint16_t *key = keys + (size_t)(t / KEYS) * KEYS * D + t % KEYS;
    uint16_t *value = values + (size_t)t * D;
    for (int d = 0; d < D; d++) {
        key[d * KEYS] = to_bfloat16(q[C + d]);
        value[d] = to_bfloat16(q[2 * C + d]);
    }
}

/* Of `n` queries, the products with blocks * WIDE keys: each in the order of d. */
static inline __attribute__((always_inline)) void scores(
    const float *q, size_t stride, const uint16_t *keys, int D, float factor, const int n,
    const int blocks, float *out, size_t out_stride)
{
    floats sums[4][4];
#pragma GCC unroll 4
    for (int j = 0; j < n; j++)
#pragma GCC unroll 4
        for (int b = 0; b < blocks; b++)
            sums[j][b] = (floats){0};
    for (int d = 0; d < D; d++)
#pragma GCC unroll 4
        for (int b = 0; b < blocks; b++) {
            const floats k = from_bfloat16s(keys + d * KEYS + b * WIDE);
            __builtin_prefetch(keys + d * KEYS + b * WIDE + AHEAD);
#pragma GCC unroll 4
            for (int j = 0; j < n; j++)
                sums[j][b] = fused(q[j * stride + d], k, sums[j][b]);
        }
#pragma GCC unroll 4
    for (int j = 0; j < n; j++)
#pragma GCC unroll 4
        for (int b = 0; b < blocks; b++) {
            const floats scaled = sums[j][b] * factor;
            memcpy(out + j * out_stride + b * WIDE, &scaled, sizeof scaled);
        }
}

/* Of `n` queries, `blocks` * WIDE numbers of the weighted sum of values, in the order of s. */
static inline __attribute__((always_inline)) void gather(
    const float *weights, size_t stride, const uint16_t *values, int length, int D, const int n,
    const int blocks, float *out, size_t out_stride)
{
    floats sums[4][4];
#pragma GCC unroll 4
    for (int j = 0; j < n; j++)
#pragma GCC unroll 4
        for (int b = 0; b < blocks; b++)
            memcpy(&sums[j][b], out + j * out_stride + b * WIDE, sizeof sums[j][b]);
    for (int s = 0; s < length; s++)
#pragma GCC unroll 4
        for (int b = 0; b < blocks; b++) {
            const floats v = from_bfloat16s(values + (size_t)s * D + b * WIDE);
            __builtin_prefetch(values + (size_t)s * D + b * WIDE + AHEAD);
#pragma GCC unroll 4
            for (int j = 0; j < n; j++)
                sums[j][b] = fused(weights[j * stride + s], v, sums[j][b]);
        }
#pragma GCC unroll 4
    for (int j = 0; j < n; j++)
#pragma GCC unroll 4
        for (int b = 0; b < blocks; b++)
            memcpy(out + j * out_stride + b * WIDE, &sums[j][b], sizeof sums[j][b]);
}

/* All D numbers: whole vectors, four at a time where there are as many, and what is left over. */
static inline __attribute__((always_inline)) void gather_all(
    const float *weights, size_t stride, const uint16_t *values, int length, int D, const int n,
    float *out, size_t out_stride)
{
    const int blocks = n * 4 < VECTORS ? 4 : 2;
    int d = 0;
    for (; d + blocks * WIDE <= D; d += blocks * WIDE)
        gather(weights, stride, values + d, length, D, n, blocks, out + d, out_stride);
    for (; d + WIDE <= D; d += WIDE)
        gather(weights, stride, values + d, length, D, n, 1, out + d, out_stride);
    for (int j = 0; j < n; j++)
        for (int s = 0; s < length; s++)
            for (int rest = d; rest < D; rest++)
                out[j * out_stride + rest] = fused_one(
                    weights[j * stride + s], from_bfloat16(values[(size_t)s * D + rest]),
                    out[j * out_stride + rest]);
}

/* softmax(q K^T * factor) V for `n` (1 or 4) queries of one head, one after the other in their
   sequence, the first of which sees the `length` keys and values up to itself, or the nearest
   `window` of them where that is not 0: out (n, D). Where `kept` is not NULL, it takes the weights
   (n, seen), with zeros for what is not seen.

   A window begins within a group of KEYS. The sums begin with the group, whichever queries are
   together, and what is not seen adds nothing to them. */
static inline __attribute__((always_inline)) void attention(
    const float *q, size_t stride, const uint16_t *keys, const uint16_t *values, int length,
    int window, float factor, int D, const int n, float *out, size_t out_stride, float *kept,
    int seen)
{
    const int before = window > 0 && length > window ? (length - window) / KEYS * KEYS : 0;
    keys += (size_t)before * D;
    values += (size_t)before * D;
    length -= before;
    const int blocks = n == 1 ? 4 : 2, most = length + n - 1, room = (most + KEYS - 1) / KEYS * KEYS;
    float weights[4 * room];
    for (int s = 0; s < most; s += blocks * WIDE)
        scores(q, stride, keys + (size_t)(s / KEYS) * KEYS * D + s % KEYS, D, factor, n, blocks,
               weights + s, room);
    for (int j = 0; j < n; j++) {
        const int end = length + j, unseen = window > 0 && end > window ? end - window : 0;
        const int first = unseen / KEYS * KEYS, many = end - first;
        float *row = weights + j * room + first, largest = -INFINITY, total = 0;
        for (int s = 0; s < unseen - first; s++)
            row[s] = -INFINITY; /* its exponential is lost in the sum */
        for (int s = 0; s < many; s++)
            largest = row[s] > largest ? row[s] : largest;
#pragma omp simd reduction(+ : total)
        for (int s = 0; s < many; s++) {
            row[s] = exponential(row[s] - largest);
            total += row[s];
        }
        for (int s = 0; s < many; s++)
            row[s] /= total;
        row -= first;
        memset(row, 0, unseen * sizeof *row);
        if (kept != NULL) {
            float *of_row = kept + (size_t)j * seen;
            memset(of_row, 0, before * sizeof *kept);
            memcpy(of_row + before, row, end * sizeof *kept);
            memset(of_row + before + end, 0, (seen - before - end) * sizeof *kept);
        }
        memset(out + j * out_stride, 0, D * sizeof *out);
    }
    gather_all(weights, room, values, length, D, n, out, out_stride);
    for (int j = 1; j < n; j++) /* what the later ones see beyond the first */
        gather_all(weights + j * room + length, room, values + (size_t)length * D, j, D, 1,
                   out + j * out_stride, out_stride);
}

#endif
