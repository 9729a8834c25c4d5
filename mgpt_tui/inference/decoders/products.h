/* Products of 8-bit integers: rows of inputs times a matrix of weights.

   Processors multiply unsigned by signed 8-bit integers, four of them at once, and add the four
   products to a 32-bit sum. So four inputs of an output lie together, and LANES outputs side by
   side in a panel: no sum crosses the lanes of a vector, and a weight that is at hand serves up to
   eight rows. Integers are exact, so it does not matter which rows are multiplied together. */

#ifndef PRODUCTS_H
#define PRODUCTS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX512VNNI__) || defined(__AVX2__)
#include <immintrin.h>
#endif

enum {
    LANES = 16, /* outputs that a panel of weights has side by side */
    ZERO = 128, /* what stands for 0 in the unsigned weights */
#if defined(__AVX2__) && !defined(__AVX512VNNI__)
    EXCESS = 0 /* what weights are too large by as `panel_sums` has them */
#else
    EXCESS = ZERO
#endif
};

/* Weights in panels: (outputs / LANES, inputs / 4, LANES, 4), see `pack`. */
struct matrix {
    const uint8_t *weight;
    const float *scale;       /* (outputs, padded to LANES) */
    const float *bias;        /* (outputs) or NULL */
    int32_t outputs, inputs;
};

#include "tiles.h"

static inline int padded(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }

/* Bytes of the panels of a matrix. */
size_t packed_size(int32_t outputs, int32_t inputs)
{
    return (size_t)padded(outputs, LANES) * padded(inputs, 4);
}

/* Lay the integers (outputs, inputs) of a matrix out in panels, as `product` wants them. */
void pack(const int8_t *integers, int32_t outputs, int32_t inputs, uint8_t *panels)
{
    const int n = padded(inputs, 4);
    memset(panels, ZERO, packed_size(outputs, inputs));
    for (int output = 0; output < outputs; output++)
        for (int i = 0; i < inputs; i++)
            panels[(size_t)(output / LANES * (n / 4) + i / 4) * LANES * 4
                   + output % LANES * 4 + i % 4]
                = (uint8_t)(integers[(size_t)output * inputs + i] + ZERO);
}

/* Rows of inputs as integers, and what they stand for. */
struct rows {
    int8_t *integers;  /* (TILE, stride), of which as many are used as there are inputs */
    size_t stride;
    float *scale;      /* (TILE) */
    int32_t *excess;   /* (TILE): EXCESS * the sum of a row's integers */
};

/* Round a row to integers from -127 to 127. Its scale is NaN where a number of the row is none or
   infinite: so that shows in the scores. */
static void rounded(const float *x, const struct rows *rows, int row, int n)
{
    int8_t *out = rows->integers + row * rows->stride;
    uint32_t most = 0; /* bits of the largest size: they are in the order of what they stand for */
    for (int i = 0; i < n; i++) {
        union { float value; uint32_t bits; } both = {x[i]};
        const uint32_t size = both.bits & 0x7fffffff;
        most = size > most ? size : most;
    }
    const union { uint32_t bits; float value; } both = {most};
    const float largest = both.value < 1e-12f ? 1e-12f : both.value, factor = 127.0f / largest;
    int32_t sum = 0;
    for (int i = 0; i < n; i++) {
        const int32_t integer = (int32_t)(x[i] * factor + 128.5f) - 128;
        out[i] = (int8_t)integer;
        sum += integer;
    }
    for (int i = n; i < padded(n, 4); i++)
        out[i] = 0;
    rows->scale[row] = isfinite(largest) ? largest / 127.0f : NAN;
    rows->excess[row] = EXCESS * sum;
}

/* sums (panels, rows, LANES) of one or two panels by a few rows of n integers.

   Processors multiply unsigned by signed 8-bit integers, four of them at once, and add the four
   products to a 32-bit sum: so four inputs of an output lie together. Weights are the unsigned
   ones; they are ZERO too large, which `write_sums` takes off. A sum fits 32 bits up to 66,000
   inputs. `rows` is known to the compiler, which keeps all sums in registers. */
#if defined(__AVX512VNNI__)
static inline __attribute__((always_inline)) void panel_sums(
    const uint8_t *panel, const int8_t *x, size_t stride, int n, const int panels, const int rows,
    int32_t *sums)
{
    enum {
        CHAINS = 4,    /* one row alone would wait for each sum before the next */
        FETCHED = 8192 /* bytes ahead: processors do not look so far themselves */
    };
    __m512i total[16];
    const int chains = rows == 1 ? CHAINS : panels * rows;
    int i = 0;
#pragma GCC unroll 16
    for (int chain = 0; chain < chains; chain++)
        total[chain] = _mm512_setzero_si512();
    if (rows == 1)
        for (; i + 4 * CHAINS <= n; i += 4 * CHAINS)
#pragma GCC unroll 4
            for (int chain = 0; chain < CHAINS; chain++) {
                int32_t four;
                memcpy(&four, x + i + 4 * chain, 4);
                total[chain] = _mm512_dpbusd_epi32(
                    total[chain], _mm512_loadu_si512(panel + (size_t)(i + 4 * chain) * LANES),
                    _mm512_set1_epi32(four));
            }
    for (; i < n; i += 4) {
        __m512i w[2];
#pragma GCC unroll 2
        for (int one = 0; one < panels; one++) {
            w[one] = _mm512_loadu_si512(panel + ((size_t)one * n + i) * LANES);
            __builtin_prefetch(panel + ((size_t)one * n + i) * LANES + FETCHED);
        }
#pragma GCC unroll 8
        for (int row = 0; row < rows; row++) {
            int32_t four;
            memcpy(&four, x + row * stride + i, 4);
#pragma GCC unroll 2
            for (int one = 0; one < panels; one++)
                total[one * rows + row] = _mm512_dpbusd_epi32(
                    total[one * rows + row], w[one], _mm512_set1_epi32(four));
        }
    }
    if (rows == 1)
        total[0] = _mm512_add_epi32(
            _mm512_add_epi32(total[0], total[1]), _mm512_add_epi32(total[2], total[3]));
#pragma GCC unroll 16
    for (int row = 0; row < panels * rows; row++)
        _mm512_storeu_si512(sums + row * LANES, total[row]);
}
#elif defined(__AVX2__)
/* The sum of two products overflows 16 bits where a factor is up to 255. So weights are signed
   again, and inputs take their signs: their sizes are up to 127. */
static inline __attribute__((always_inline)) void few_rows(
    const uint8_t *panel, const int8_t *x, size_t stride, int n, const int rows, int32_t *sums)
{
    const __m256i zero = _mm256_set1_epi8((char)ZERO), ones = _mm256_set1_epi16(1);
    __m256i total[4][2];
#pragma GCC unroll 4
    for (int row = 0; row < rows; row++)
        total[row][0] = total[row][1] = _mm256_setzero_si256();
    for (int i = 0; i < n; i += 4) {
        __m256i w[2], size[2];
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) {
            const uint8_t *at = panel + (size_t)i * LANES + half * 32;
            w[half] = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)at), zero);
            size[half] = _mm256_abs_epi8(w[half]);
        }
#pragma GCC unroll 4
        for (int row = 0; row < rows; row++) {
            int32_t four;
            memcpy(&four, x + row * stride + i, 4);
            const __m256i inputs = _mm256_set1_epi32(four);
#pragma GCC unroll 2
            for (int half = 0; half < 2; half++) {
                const __m256i pairs
                    = _mm256_maddubs_epi16(size[half], _mm256_sign_epi8(inputs, w[half]));
                total[row][half]
                    = _mm256_add_epi32(total[row][half], _mm256_madd_epi16(pairs, ones));
            }
        }
    }
#pragma GCC unroll 4
    for (int row = 0; row < rows; row++)
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++)
            _mm256_storeu_si256((__m256i *)(sums + row * LANES + half * 8), total[row][half]);
}

static inline __attribute__((always_inline)) void panel_sums(
    const uint8_t *panel, const int8_t *x, size_t stride, int n, const int panels, const int rows,
    int32_t *sums)
{
    const int few = rows < 4 ? rows : 4;
    for (int one = 0; one < panels; one++)
        for (int row = 0; row < rows; row += few)
            few_rows(panel + (size_t)one * n * LANES, x + row * stride, stride, n, few,
                     sums + (one * rows + row) * LANES);
}
#else
static inline __attribute__((always_inline)) void panel_sums(
    const uint8_t *panel, const int8_t *x, size_t stride, int n, const int panels, const int rows,
    int32_t *sums)
{
    for (int row = 0; row < panels * rows; row++) {
        const int8_t *a = x + row % rows * stride;
        const uint8_t *weights = panel + (size_t)(row / rows) * n * LANES;
        int32_t total[LANES] = {0};
        for (int i = 0; i < n; i += 4)
            for (int lane = 0; lane < LANES; lane++) {
                const uint8_t *w = weights + (size_t)i * LANES + lane * 4;
                total[lane] += w[0] * a[i] + w[1] * a[i + 1] + w[2] * a[i + 2] + w[3] * a[i + 3];
            }
        memcpy(sums + row * LANES, total, sizeof total);
    }
}
#endif

/* The same, of so many rows as they turn out: 1, 2, 4 or 8. */
static void vector_sums(
    const uint8_t *panel, const int8_t *x, size_t stride, int n, int panels, int rows, int32_t *sums)
{
    if (rows == 8 && panels == 2)
        panel_sums(panel, x, stride, n, 2, 8, sums);
    else
        for (int one = 0; one < panels; one++, panel += (size_t)LANES * n, sums += rows * LANES)
            switch (rows) {
            case 8: panel_sums(panel, x, stride, n, 1, 8, sums); break;
            case 4: panel_sums(panel, x, stride, n, 1, 4, sums); break;
            case 2: panel_sums(panel, x, stride, n, 1, 2, sums); break;
            default: panel_sums(panel, x, stride, n, 1, 1, sums);
            }
}

/* Write sums (rows, LANES) of a panel as what they stand for: rows from `row` on of out. */
static inline void write_sums(
    const struct matrix *m, const struct rows *x, const int32_t *sums, int row, int rows, float *out,
    size_t stride, int panel)
{
    const int first = panel * LANES;
    const int lanes = m->outputs - first < LANES ? m->outputs - first : LANES;
    for (int r = row; r < row + rows; r++, sums += LANES) {
        const float scale = x->scale[r];
        const int32_t excess = x->excess[r];
        float values[LANES], *to = out + r * stride + first;
        for (int lane = 0; lane < LANES; lane++)
            values[lane] = (float)(sums[lane] - excess) * m->scale[first + lane] * scale;
        memcpy(to, values, lanes * sizeof *to);
        if (m->bias)
            for (int lane = 0; lane < lanes; lane++)
                to[lane] += m->bias[first + lane];
    }
}

/* What of out (R, outputs) = x (R, inputs) times the weights comes from one panel, or from two:
   rows `first` to `end`, in tiles where `tiled` says that they have begun. */
static void product_panels(
    const struct matrix *m, const struct rows *x, int first, int end, float *out, size_t stride,
    int panel, int panels, int tiled)
{
    const int n = padded(m->inputs, 4);
    const uint8_t *w = m->weight + (size_t)panel * LANES * n;
    int32_t sums[2 * TILE_ROWS * LANES];
    for (int row = first, step; row < end; row += step) {
        const int8_t *integers = x->integers + row * x->stride;
        const int left = end - row;
        if (tiled) {
            step = left < TILE_ROWS ? left : TILE_ROWS;
            tile_sums(w, integers, x->stride, n, panels, step, sums);
        } else {
            step = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
            vector_sums(w, integers, x->stride, n, panels, step, sums);
        }
        for (int one = 0; one < panels; one++)
            write_sums(m, x, sums + one * step * LANES, row, step, out, stride, panel + one);
    }
}

#endif
