/* SPDX-License-Identifier: MIT
 *
 * test_kernels_exp.c - our exp.
 *
 * In:  216 arguments with their correctly rounded results, computed once with
 * 2,200 bits; random arguments; every kind of special. Out: passes where the
 * error is at most 1 unit in the last place, and the bits are the reference's.
 * The table holds the edges (least and largest results, subnormals, the cuts
 * between two k), then random arguments of each range. Invariant: the wider
 * comparison needs a long double with more bits than a double, and is skipped,
 * visibly, where there is none.
 */
#include "test_kernels.h"

#include <float.h>
#include <math.h>

#include "kernels.h"
#include "reference.h"

static const double table[][2] = {
    {0x0.0p+0, 0x1.0000000000000p+0},
    {-0x0.0p+0, 0x1.0000000000000p+0},
    {0x0.0000000000001p-1022, 0x1.0000000000000p+0},
    {-0x0.0000000000001p-1022, 0x1.0000000000000p+0},
    {0x1.0000000000000p-1022, 0x1.0000000000000p+0},
    {0x1.0000000000000p-54, 0x1.0000000000000p+0},
    {-0x1.0000000000000p-54, 0x1.0000000000000p+0},
    {0x1.0000000000000p-53, 0x1.0000000000001p+0},
    {-0x1.0000000000000p-53, 0x1.fffffffffffffp-1},
    {0x1.0000000000000p-52, 0x1.0000000000001p+0},
    {0x1.0000000000000p+0, 0x1.5bf0a8b145769p+1},
    {-0x1.0000000000000p+0, 0x1.78b56362cef38p-2},
    {0x1.0000000000000p+1, 0x1.d8e64b8d4ddaep+2},
    {0x1.0000000000000p-1, 0x1.a61298e1e069cp+0},
    {-0x1.0000000000000p-1, 0x1.368b2fc6f960ap-1},
    {0x1.4000000000000p+3, 0x1.5829dcf950560p+14},
    {-0x1.4000000000000p+3, 0x1.7cd79b5647c9bp-15},
    {0x1.9000000000000p+6, 0x1.3494a9b171bf5p+144},
    {-0x1.9000000000000p+6, 0x1.a8c1f14e2af5dp-145},
    {0x1.5e00000000000p+9, 0x1.d945df4f8ec8ep+1009},
    {-0x1.5e00000000000p+9, 0x1.14f2b0fb9307fp-1010},
    {0x1.62e42fefa39edp+9, 0x1.ffffffffff72ap+1023},
    {0x1.62e42fefa39eep+9, 0x1.ffffffffffb2ap+1023},
    {0x1.62e42fefa39efp+9, 0x1.fffffffffff2ap+1023},
    {0x1.62e42fefa39f0p+9, (double)INFINITY},
    {0x1.62e42fefa39f1p+9, (double)INFINITY},
    {-0x1.74910d52d3050p+9, 0x0.0000000000001p-1022},
    {-0x1.74910d52d3051p+9, 0x0.0000000000001p-1022},
    {-0x1.74910d52d3052p+9, 0x0.0p+0},
    {-0x1.74385446d71c2p+9, 0x0.0000000000001p-1022},
    {-0x1.74385446d71c3p+9, 0x0.0000000000001p-1022},
    {-0x1.74385446d71c4p+9, 0x0.0000000000001p-1022},
    {-0x1.6232bdd7abcd1p+9, 0x1.000000000027cp-1022},
    {-0x1.6232bdd7abcd2p+9, 0x1.000000000007cp-1022},
    {-0x1.6232bdd7abcd3p+9, 0x0.ffffffffffe7cp-1022},
    {-0x1.61fffffffffffp+9, 0x1.7c8ab2288cca4p-1022},
    {-0x1.6200000000000p+9, 0x1.7c8ab2288c9abp-1022},
    {-0x1.6200000000001p+9, 0x1.7c8ab2288c6b2p-1022},
    {-0x1.7499999999999p+9, 0x0.0p+0},
    {-0x1.749999999999ap+9, 0x0.0p+0},
    {-0x1.749999999999bp+9, 0x0.0p+0},
    {-0x1.74fffffffffffp+9, 0x0.0p+0},
    {-0x1.7500000000000p+9, 0x0.0p+0},
    {-0x1.7500000000001p+9, 0x0.0p+0},
    {0x1.62fffffffffffp+9, (double)INFINITY},
    {0x1.6300000000000p+9, (double)INFINITY},
    {0x1.6300000000001p+9, (double)INFINITY},
    {0x1.62e42fefa39eep-2, 0x1.6a09e667f3bccp+0},
    {0x1.62e42fefa39efp-2, 0x1.6a09e667f3bccp+0},
    {0x1.62e42fefa39f0p-2, 0x1.6a09e667f3bcdp+0},
    {-0x1.62e42fefa39eep-2, 0x1.6a09e667f3bcdp-1},
    {-0x1.62e42fefa39efp-2, 0x1.6a09e667f3bcdp-1},
    {-0x1.62e42fefa39f0p-2, 0x1.6a09e667f3bccp-1},
    {0x1.0a2b23f3bab72p+0, 0x1.6a09e667f3bcbp+1},
    {0x1.0a2b23f3bab73p+0, 0x1.6a09e667f3bccp+1},
    {0x1.0a2b23f3bab74p+0, 0x1.6a09e667f3bcdp+1},
    {0x1.1ff6727d10370p+9, 0x1.d8aa310cc9008p+830},
    {0x1.08e70b726c018p+8, 0x1.20b977b7a0510p+382},
    {0x1.7aae1fcd10c88p+8, 0x1.3f9301454c34fp+546},
    {0x1.1f3cba7619050p+9, 0x1.bb14b37297e69p+828},
    {-0x1.53a4833fa500ap+8, 0x1.ffbd45beb20a2p-491},
    {0x1.8289816573cecp+7, 0x1.c654cdbe490a5p+278},
    {0x1.1f78837176b82p+9, 0x1.616d3bc04ae50p+829},
    {0x1.0835a95f317c2p+9, 0x1.45ca9691627a0p+762},
    {0x1.a1082db0b6cd8p+6, 0x1.54ba99625d6a7p+150},
    {-0x1.d3df68578b366p+8, 0x1.006cf20afd20cp-675},
    {-0x1.f255c3db2ea30p+6, 0x1.3353ec1e1dbbdp-180},
    {0x1.5e7b694a656cep+9, 0x1.364bedf2a9261p+1011},
    {-0x1.18d0137762d97p+9, 0x1.ad35d0b5a516bp-811},
    {-0x1.ff1ce4382f0fep+7, 0x1.3d5dea99160a6p-369},
    {0x1.3f6f6ab0035a4p+9, 0x1.9e7f6b2270571p+921},
    {-0x1.1b89c7102aac0p+6, 0x1.aa2618ad41c85p-103},
    {-0x1.9c3178b6dd75ep+8, 0x1.41fbe397fcd72p-595},
    {-0x1.02b9a8362040cp+8, 0x1.ab179d6443f7cp-374},
    {0x1.22162616280acp+9, 0x1.024661990ab27p+837},
    {-0x1.d08737c635fe0p+7, 0x1.e248a65e48701p-336},
    {-0x1.9875c4ddec220p+6, 0x1.99ea66f9e8ab2p-148},
    {0x1.6bbc18b030580p+7, 0x1.4cf32be6d19d6p+262},
    {0x1.b213f4cd0324cp+8, 0x1.2ec6e8d24f913p+626},
    {-0x1.4a9406481b200p+3, 0x1.11a401acb9490p-15},
    {-0x1.2840b9f7b2ac8p+9, 0x1.250cac28eadd4p-855},
    {0x1.a28f171398d80p+6, 0x1.f31d7a6291f80p+150},
    {-0x1.491f12f07e2a0p+9, 0x1.47be854964901p-950},
    {-0x1.1efef81715d96p+9, 0x1.df42a788c874fp-829},
    {-0x1.b62891674a50ep+8, 0x1.d4309f971724fp-633},
    {0x1.13165dc6243f8p+8, 0x1.d2f7ff6dd2997p+396},
    {-0x1.321f039956c51p+8, 0x1.48ade8621ec0fp-442},
    {0x1.0e91311db7b6cp+8, 0x1.455c32e813aa5p+390},
    {-0x1.dc6b63a556ea6p+8, 0x1.97deb6f0f831bp-688},
    {-0x1.0e921047a680fp+9, 0x1.3ad22100c44c7p-781},
    {-0x1.5173bc2bb7d58p+9, 0x1.3f5ecd0176505p-974},
    {0x1.2496eded3c4eap+8, 0x1.15b9dedfcfb27p+422},
    {0x1.fdf6c82c17104p+8, 0x1.a66a9ae33fafdp+735},
    {-0x1.8c947ec9c1365p+8, 0x1.cf55fd66ebb66p-573},
    {-0x1.7332a9dd9c83fp+8, 0x1.63b9f2a64062bp-536},
    {-0x1.58cc8f8a8429fp+9, 0x1.163df9db00ed6p-995},
    {0x1.9c6e7ff8cb2c8p+7, 0x1.6baf1011de1edp+297},
    {-0x1.19a1dd744cb6fp+8, 0x1.9d24b0b670145p-407},
    {-0x1.00fa629c3b5d5p+9, 0x1.6e97b2ca713ecp-742},
    {0x1.a22531981c85cp+7, 0x1.8ba5660657c4dp+301},
    {0x1.1c7c090518284p+7, 0x1.289049064327fp+205},
    {-0x1.26f2f1d486300p+6, 0x1.89571da4974b2p-107},
    {-0x1.eb12b420d8a94p+8, 0x1.71fca129de891p-709},
    {0x1.8ae3051c2ae0cp+7, 0x1.cda2cb9b03e13p+284},
    {0x1.3f33f44aef150p+6, 0x1.17c6955e3fea3p+115},
    {-0x1.791adafe8d468p+6, 0x1.fbd05fa68c304p-137},
    {-0x1.da8b8affd10a0p+8, 0x1.4c41979ce834cp-685},
    {0x1.30677584086aep+9, 0x1.409c43cf22988p+878},
    {0x1.01dbc35d44a76p+9, 0x1.03f8e147477c5p+744},
    {0x1.0deefc895f560p+8, 0x1.59515a5eaa9f3p+389},
    {-0x1.623948217d38fp+9, 0x0.f33f886758504p-1022},
    {-0x1.69e46fc61c959p+9, 0x0.0000037b1c03fp-1022},
    {-0x1.6e3d25ad4d563p+9, 0x0.0000000026447p-1022},
    {-0x1.7274101b8bd2ap+9, 0x0.0000000000022p-1022},
    {-0x1.696360ff9165dp+9, 0x0.0000098a62c87p-1022},
    {-0x1.6b03f3fa9dd1ap+9, 0x0.0000005e471a5p-1022},
    {-0x1.6c8c38646d758p+9, 0x0.000000046675ap-1022},
    {-0x1.62492fe48a423p+9, 0x0.d6d3195756691p-1022},
    {-0x1.651c8e5869c80p+9, 0x0.00c130e5fdd0cp-1022},
    {-0x1.727b3a65b2c30p+9, 0x0.0000000000020p-1022},
    {-0x1.644948320abaep+9, 0x0.03ee860a80293p-1022},
    {-0x1.7490278fc82a1p+9, 0x0.0000000000001p-1022},
    {-0x1.6894983f7bd9bp+9, 0x0.00002ffe338bep-1022},
    {-0x1.6ec83fb2064b0p+9, 0x0.000000000ce88p-1022},
    {-0x1.6722ae014900bp+9, 0x0.00035f84cf35fp-1022},
    {-0x1.630694d9bebf8p+9, 0x0.30eb6bd0bbed2p-1022},
    {-0x1.6ad0a864c2f58p+9, 0x0.0000008cc025ap-1022},
    {-0x1.66862f29107b0p+9, 0x0.000b7493911bep-1022},
    {-0x1.7398d96e7287bp+9, 0x0.0000000000003p-1022},
    {-0x1.684998cb6584ap+9, 0x0.00005639effe0p-1022},
    {-0x1.726e684e095bbp+9, 0x0.0000000000024p-1022},
    {-0x1.6c337cd38895bp+9, 0x0.00000008cd17ap-1022},
    {-0x1.6e7249183084ap+9, 0x0.0000000019441p-1022},
    {-0x1.734052be6d36cp+9, 0x0.0000000000007p-1022},
    {-0x1.66d03df6dfe1cp+9, 0x0.00066c48841f0p-1022},
    {-0x1.72e11a2b85206p+9, 0x0.000000000000fp-1022},
    {-0x1.6fda442e648d5p+9, 0x0.0000000001848p-1022},
    {-0x1.7303ca8d19dcfp+9, 0x0.000000000000bp-1022},
    {-0x1.6861865546020p+9, 0x0.000047863ffdap-1022},
    {-0x1.6f0bdfe05cfc1p+9, 0x0.00000000079c5p-1022},
    {-0x1.c9a20e20de5e2p-12, 0x1.ffc6cef0316a8p-1},
    {-0x1.835c807036658p+0, 0x1.c302797b96f6ep-3},
    {-0x1.0616c7bd9e0f8p-33, 0x1.fffffffef9e94p-1},
    {-0x1.e4546249fcab3p-8, 0x1.fc3ae949d07ddp-1},
    {0x1.466912637ec06p-24, 0x1.0000014669133p+0},
    {-0x1.37cef9c7ac78ep-12, 0x1.ffd9079c85f1cp-1},
    {-0x1.18e2cd29a5388p-8, 0x1.fdcf6e25fdd0ap-1},
    {0x1.e2dc96447692cp-5, 0x1.0f8b02475cdfep+0},
    {0x1.7cc4b4601a8ddp-11, 0x1.002f9d0383566p+0},
    {-0x1.d05f41144b6adp-19, 0x1.ffff8be83ce45p-1},
    {0x1.f139369b1b53bp-6, 0x1.07e36194bd696p+0},
    {0x1.34ffa72ba9ea4p-39, 0x1.00000000026a0p+0},
    {0x1.24d2c195a58a1p-6, 0x1.049dd29b0496fp+0},
    {-0x1.46b6a6e1fa3a0p-24, 0x1.fffffd7292b3ep-1},
    {0x1.bc486fdf09af0p-18, 0x1.00006f1234102p+0},
    {0x1.fae1c1fac8104p-29, 0x1.0000000fd70e1p+0},
    {-0x1.110d54727c1acp-30, 0x1.fffffff777956p-1},
    {-0x1.f6d1cf5d5f740p+0, 0x1.1f49594346e2ep-3},
    {-0x1.ec2e68180959ep-35, 0x1.ffffffff84f46p-1},
    {0x1.b6ff1e007f220p-11, 0x1.0036e5c5c79b5p+0},
    {0x1.4b445f737e7b2p-6, 0x1.053a8e079f965p+0},
    {-0x1.fb468f7f815f3p-2, 0x1.37fad0a9a2459p-1},
    {-0x1.bfed0fe69f7a1p-39, 0x1.fffffffff9005p-1},
    {0x1.b047d8533d715p-5, 0x1.0ddf1d6b70ec4p+0},
    {0x1.ca226f890dfe8p-28, 0x1.0000001ca2270p+0},
    {-0x1.cf6040f4f61b3p-8, 0x1.fc6484423b52ep-1},
    {0x1.e63e765b74d47p-35, 0x1.000000003cc7dp+0},
    {0x1.64e0dba823c30p+0, 0x1.01fea664da377p+2},
    {0x1.1779ef929f60ap-31, 0x1.000000022ef3ep+0},
    {0x1.3aed4bf8c84c9p-12, 0x1.0013af967a00bp+0},
    {0x1.73597effb005cp-21, 0x1.00000b9acc3b5p+0},
    {0x1.34e17933f2f08p-3, 0x1.29ac7b9e3d464p+0},
    {0x1.22883abf487ccp-5, 0x1.093df6cc76a3dp+0},
    {0x1.052aa1d8566a8p-7, 0x1.020c6b8ebf69dp+0},
    {0x1.3d53f01156c1ep-9, 0x1.009edb2d522c1p+0},
    {0x1.c68da8374ec29p+0, 0x1.79d82165a49f6p+2},
    {-0x1.ae6d220ba128ep-22, 0x1.fffff28c971cep-1},
    {-0x1.04d7d3e759dd4p-27, 0x1.ffffffbeca0b1p-1},
    {0x1.3f48241d8e350p-25, 0x1.0000009fa4124p+0},
    {0x1.b0ca3b712768ep-18, 0x1.00006c32a5b9ap+0},
    {0x1.9ee34e7873f60p-5, 0x1.0d4c96d584b9bp+0},
    {0x1.44c6ec0b47cfcp-8, 0x1.01459547560b0p+0},
    {0x1.a8c0e9f78b2bap-15, 0x1.0003518755746p+0},
    {0x1.212cab2b50168p-20, 0x1.00001212cb560p+0},
    {-0x1.a39c09f7dd92bp-34, 0x1.ffffffff2e320p-1},
    {-0x1.bf1b876894ad0p-2, 0x1.4adc3b57c4f76p-1},
    {-0x1.5ed6b16c80e19p-13, 0x1.ffea130d1b710p-1},
    {0x1.d00d686f11aaap-40, 0x1.0000000001d01p+0},
    {-0x1.f010a37cfc361p-8, 0x1.fc239d8dc927ap-1},
    {-0x1.4651da9c23edap-1, 0x1.0eb12239bcee2p-1},
    {-0x1.e1b77e78f4fcep-10, 0x1.ff0f5cdf1322ep-1},
    {0x1.464d50c7da27ap-20, 0x1.00001464d5dc7p+0},
    {-0x1.25600a68723d8p-16, 0x1.fffdb5413b639p-1},
    {-0x1.21e30a29bc368p-4, 0x1.dd04454134c93p-1},
    {0x1.0a1979f020f11p-2, 0x1.4bf7f34b1eef3p+0},
    {0x1.78f806ac86692p-32, 0x1.0000000178f80p+0},
    {-0x1.a764277cdffc8p-8, 0x1.fcb3f26bbee5ep-1},
    {0x1.8098097198c16p-26, 0x1.0000006026027p+0},
    {-0x1.74a1be0e2d522p-33, 0x1.fffffffe8b5e4p-1},
    {0x1.d56a1924e7a46p-11, 0x1.003ab3fd24031p+0},
    {-0x1.87a0cee5f20eep+7, 0x1.6a09e667f3c22p-283},
    {-0x1.4678ea18f304bp+7, 0x1.6a09e667f3c31p-236},
    {0x1.5ebb835fd4b41p+6, 0x1.6a09e667f3ba8p+126},
    {-0x1.904ae1118bcd8p+8, 0x1.6a09e667f3c98p-578},
    {-0x1.84db068612c7ap+7, 0x1.6a09e667f3c3ap-281},
    {0x1.09a60e61c0d9ep+9, 0x1.6a09e667f3cb3p+766},
    {0x1.93c21b8962e69p+8, 0x1.6a09e667f3b3dp+582},
    {0x1.28d71c9850bb5p+9, 0x1.6a09e667f3b38p+856},
    {-0x1.0ed8e615837f7p+9, 0x1.6a09e667f3b9ep-782},
    {0x1.0f05429b8173ep+7, 0x1.6a09e667f3badp+195},
    {-0x1.994dac4921751p+8, 0x1.6a09e667f3bfdp-591},
    {-0x1.d5f42b7a55ab7p+6, 0x1.6a09e667f3c12p-170},
    {-0x1.295c322a4a98bp+7, 0x1.6a09e667f3bc0p-215},
    {0x1.0979b1dbc2e56p+7, 0x1.6a09e667f3b7dp+191},
    {-0x1.2533859a7baddp+7, 0x1.6a09e667f3be4p-212},
    {0x1.5ff20b09c6634p+9, 0x1.6a09e667f3b85p+1015},
};
#define ROWS (sizeof(table) / sizeof(table[0]))

/* Positive doubles, infinity included, are ordered as their bits are. */
static uint64_t distance(double a, double b)
{
    const uint64_t x = to_bits(a);
    const uint64_t y = to_bits(b);
    return x > y ? x - y : y - x;
}

static double exp_of(double x)
{
    double y;
    kernel_exp(&x, 1, &y);
    return y;
}

static void test_table(void **state)
{
    (void)state;
    assert_true(ROWS >= 200);
    for (size_t i = 0; i < ROWS; i++)
        assert_in_range(distance(exp_of(table[i][0]), table[i][1]), 0, 1);
}

static void test_special(void **state)
{
    static const uint64_t cases[][2] = {
        {0x0000000000000000, 0x3ff0000000000000}, /* 0 */
        {0x8000000000000000, 0x3ff0000000000000}, /* -0 */
        {0x0000000000000001, 0x3ff0000000000000}, /* least subnormal */
        {0x7ff0000000000000, 0x7ff0000000000000}, /* inf */
        {0xfff0000000000000, 0x0000000000000000}, /* -inf: +0 */
        {0x7fefffffffffffff, 0x7ff0000000000000}, /* largest */
        {0xffefffffffffffff, 0x0000000000000000}, /* lowest */
        {0x40862e42fefa39f0, 0x7ff0000000000000}, /* first overflow */
        {0xc0874910d52d3052, 0x0000000000000000}, /* first to round to 0 */
        {0x7ff8000000000000, 0x7ff8000000000000}, /* NaNs */
        {0x7ff0000000000001, 0x7ff8000000000001},
        {0xfff4000000abcdef, 0xfffc000000abcdef},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(to_bits(exp_of(of_bits(cases[i][0]))), cases[i][1]);
}

#define CHUNK 1000

/* Random arguments of the range that `kind` names. */
static void fill(uint64_t *seed, int kind, double *x)
{
    for (int i = 0; i < CHUNK; i++) {
        const double u = random_unit(seed);
        const int e = (int)(random_bits(seed) % 60);
        const int k = (int)(random_bits(seed) % 2098) - 1074;
        if (kind == 0)
            x[i] = -746 + u * (746 + 709.7);
        else if (kind == 1)
            x[i] = -745.2 + u * (745.2 - 708.3);
        else if (kind == 2)
            x[i] = ldexp(u - 0.5, 2 - e);
        else if (kind == 3)
            x[i] = (k + 0.5) * 0.69314718055994531 * (1 + (u - 0.5) * 1e-12);
        else
            x[i] = of_bits(random_bits(seed));
    }
}

static void test_reference(void **state)
{
    (void)state;
    uint64_t seed = 21;
    double x[CHUNK];
    double fast[CHUNK];
    double slow[CHUNK];
    for (int round = 0; round < 100; round++) {
        fill(&seed, round % 5, x);
        kernel_exp(x, CHUNK, fast);
        reference_exp(x, CHUNK, slow);
        assert_memory_equal(fast, slow, sizeof(fast));
        kernel_exp(x, CHUNK, x);
        assert_memory_equal(fast, x, sizeof(fast));
    }
}

static void test_sweep(void **state)
{
    (void)state;
    uint64_t seed = 22;
    double x[CHUNK];
    double y[CHUNK];
    if (LDBL_MANT_DIG <= DBL_MANT_DIG)
        skip();
    for (int round = 0; round < 800; round++) {
        fill(&seed, round % 4, x);
        kernel_exp(x, CHUNK, y);
        for (int i = 0; i < CHUNK; i++)
            assert_true(distance(y[i], (double)expl((long double)x[i])) <= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_sweep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
