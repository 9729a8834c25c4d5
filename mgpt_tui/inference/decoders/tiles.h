/* Products of 8-bit integers in tiles (Intel's AMX), where the processor has them.

   A tile register holds 16 rows of 64 bytes. One instruction multiplies rows of 64 inputs by 64
   inputs of 16 outputs, which lie in a panel as it wants them, and adds what comes of it to 32-bit
   sums: the same integers as by vectors, of sixteen rows in the time of one. Linux has to be asked
   first, since threads that use tiles have more to be saved when they are stopped. */

#ifndef TILES_H
#define TILES_H

#include <stdint.h>

enum {
    TILE_ROWS = 16,   /* rows of inputs that are multiplied at once */
    TILE_INPUTS = 64  /* of so many inputs */
};

#if defined(__AMX_INT8__) && defined(__AVX512VNNI__) && defined(__linux__)
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the tiles hold, which instructions name by plain numbers: sums of two panels, and inputs; the
   same of rows that are left over; two panels. */
#define SUMS 0
#define SUMS_OF_NEXT 1
#define INPUTS 2
#define LEFT_SUMS 3
#define LEFT_SUMS_OF_NEXT 4
#define LEFT_INPUTS 5
#define PANEL 6
#define NEXT_PANEL 7

/* Whether Linux lets this process use tiles. */
static int may_use_tiles(void)
{
    enum { UNKNOWN, YES, NO, REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    static _Atomic int answer;
    if (answer == UNKNOWN)
        answer = syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0 ? YES : NO;
    return answer == YES;
}

/* Whether products of so many rows of so many inputs are made in tiles from now on, which then take
   their shape, until `end_tiles`. */
static int begin_tiles(int rows, int inputs)
{
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16]; /* of a row of each tile */
        uint8_t rows[16];
    } shape = {.palette = 1};
    if (rows < 2 || inputs % TILE_INPUTS || !may_use_tiles())
        return 0;
    for (int tile = 0; tile < 8; tile++) {
        const int left = tile >= LEFT_SUMS && tile <= LEFT_INPUTS;
        shape.bytes[tile] = 64;
        shape.rows[tile] = left ? (rows % TILE_ROWS ? rows % TILE_ROWS : 1) : TILE_ROWS;
    }
    /* Compilers are not always told that these instructions read memory: it has to be written. */
    __asm__ volatile("" : : "r"(&shape) : "memory");
    _tile_loadconfig(&shape);
    return 1;
}

static void end_tiles(void) { _tile_release(); }

#define SUMS_IN_TILES(SUM, SUM_OF_NEXT, OF_ROWS)                                                   \
    do {                                                                                           \
        _tile_zero(SUM);                                                                           \
        _tile_zero(SUM_OF_NEXT);                                                                   \
        for (int i = 0; i < n; i += TILE_INPUTS) {                                                 \
            _tile_loadd(OF_ROWS, x + i, stride);                                                   \
            _tile_loadd(PANEL, panel + (size_t)i * LANES, 64);                                     \
            _tile_dpbsud(SUM, OF_ROWS, PANEL);                                                     \
            if (panels == 2) {                                                                     \
                _tile_loadd(NEXT_PANEL, panel + (size_t)(n + i) * LANES, 64);                      \
                _tile_dpbsud(SUM_OF_NEXT, OF_ROWS, NEXT_PANEL);                                    \
            }                                                                                      \
        }                                                                                          \
        _tile_stored(SUM, sums, 64);                                                               \
        if (panels == 2)                                                                           \
            _tile_stored(SUM_OF_NEXT, sums + rows * LANES, 64);                                    \
    } while (0)

/* sums (panels, rows, LANES) of one or two panels by TILE_ROWS rows of n integers, or by those that
   are left over. */
static void tile_sums(
    const uint8_t *panel, const int8_t *x, size_t stride, int n, int panels, int rows, int32_t *sums)
{
    if (rows == TILE_ROWS)
        SUMS_IN_TILES(SUMS, SUMS_OF_NEXT, INPUTS);
    else
        SUMS_IN_TILES(LEFT_SUMS, LEFT_SUMS_OF_NEXT, LEFT_INPUTS);
}

#else

static int begin_tiles(int rows, int inputs) { return (void)rows, (void)inputs, 0; }
static void end_tiles(void) {}
static void tile_sums(
    const uint8_t *panel, const int8_t *x, size_t stride, int n, int panels, int rows, int32_t *sums)
{
    (void)panel, (void)x, (void)stride, (void)n, (void)panels, (void)rows, (void)sums;
}

#endif
#endif
