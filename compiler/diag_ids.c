/* SPDX-License-Identifier: MIT
 *
 * diag_ids.c - the table of diagnostic ids.
 *
 * An id never changes its meaning and is never used twice. Ids that only
 * later parts of the language raise stand here already, so that their numbers
 * are taken.
 */
#include <stddef.h>

#include "diag.h"

static const struct {
    const char *id, *title;
} table[] = {
    {"E0101", "YAML syntax"},
    {"E0102", "duplicate key"},
    {"E0103", "unknown key"},
    {"E0104", "missing key"},
    {"E0105", "not part of the spec language"},
    {"E0106", "version of the spec language"},
    {"E0107", "keys that exclude each other"},
    {"E0108", "a drop without a reason"},
    {"E0109", "a drop reason that YAML would cut"},
    {"E0110", "wrong kind of value"},
    {"E0111", "value out of range"},
    {"E0201", "syntax of a value"},
    {"E0202", "undefined name"},
    {"E0203", "loop variable without effect"},
    {"E0204", "table index out of range"},
    {"E0205", "empty range"},
    {"E0206", "template parameters"},
    {"E0207", "template recursion"},
    {"E0208", "shadowed name"},
    {"E0209", "template or include defined twice"},
    {"E0210", "unknown operation"},
    {"E0212", "arguments of an operation"},
    {"E0213", "integer overflow"},
    {"E0214", "inexact division"},
    {"E0215", "division by zero or negative exponent"},
    {"E0216", "too many tensors"},
    {"E0217", "a word where a number is needed"},
    {"E0218", "constant"},
    {"E0220", "assertion failed"},
    {"E0301", "missing source tensor"},
    {"E0302", "source tensor neither used nor dropped"},
    {"E0303", "source tensor used twice"},
    {"E0304", "index beyond a range"},
    {"E0305", "index missing inside a range"},
    {"E0306", "drop matches nothing"},
    {"E0307", "elements used by no piece"},
    {"E0308", "elements used by two pieces"},
    {"E0309", "common prefix or dot that the spec does not mention"},
    {"E0310", "other spelling of a norm"},
    {"E0311", "part of a norm"},
    {"E0312", "tied tensor absent"},
    {"E0313", "quantiser state"},
    {"E0314", "subtree drop does not match"},
    {"E0315", "`also` of a source that nothing else uses"},
    {"E0316", "sources"},
    {"E0317", "a source that cannot be restored"},
    {"E0401", "size differs"},
    {"E0402", "rank differs"},
    {"E0403", "sizes in another order"},
    {"E0404", "layout violated"},
    {"E0405", "type of an operation"},
    {"E0406", "unknown axis"},
    {"E0407", "unnamed axis"},
    {"E0408", "heads do not divide"},
    {"E0409", "weight norm keeps another axis"},
    {"E0410", "pieces differ"},
    {"E0411", "dtype differs"},
    {"E0412", "dtype does not allow this"},
    {"E0413", "axis named twice"},
    {"E0501", "target defined twice"},
    {"E0502", "reserved target"},
    {"E0503", "target name"},
    {"E0504", "alias"},
    {"E0505", "layout changed without a new revision"},
    {"E0506", "axis not in layout"},
    {"E0507", "role differs"},
    {"E0508", "optional"},
    {"E0509", "groups"},
    {"E0510", "no output"},
    {"E0601", "zero norm"},
    {"E0602", "value does not fit the stored dtype"},
    {"E0603", "NaN or Inf in a source"},
    {"E0604", "expectation not met"},
    {"E0605", "cannot be missing"},
    {"E0606", "tensors that should be the same differ"},
    {"E0607", "a file of probes"},
    {"E0701", "safetensors file"},
    {"E0702", "shards"},
    {"E0703", "not a safetensors file"},
    {"E0704", "output file"},
    {"E0705", "reading a file"},
    {"E0706", "blob"},
    {"E0707", "no such tensor"},
    {"E0708", "another file than the one that is pinned"},
    {"E0709", "a blob of another spec"},
    {"E0711", "npy or npz file"},
    {"W0301", "missing source tensor (partial)"},
    {"W0311", "optional tensor absent"},
    {"W0317", "a source that cannot be restored is left out"},
    {"W0604", "an expectation that is not judged"},
    {"W0610", "freshly initialised weights"},
    {"W0611", "constant or zero where a weight is expected"},
    {"W0612", "NaN or Inf in a tensor"},
    {"W0613", "equal tensors in different layers"},
    {"W0614", "a layer far off its siblings"},
    {"W0615", "weight norm that was never trained"},
    {"N0701", "the classic rule of an initialiser"},
    {"N0702", "what no shape can prove"},
    {"N0703", "identical outputs"},
    {"N0704", "precision lost"},
};

const char *diag_title(const char *id)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (str_is(str_c(id), table[i].id))
            return table[i].title;
    return NULL;
}
