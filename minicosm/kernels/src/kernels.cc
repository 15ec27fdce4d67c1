// Every kernel, compiled once per instruction set: setup.py gives MINICOSM_ISA a name and the flags to go with it.
// Only headers without code of the C++ library may be included here (see simd.h).

#include "kernels.h"

#include "lidar.h"
#include "picture.h"
#include "rigid_tick.h"

namespace minicosm {
namespace MINICOSM_ISA {

extern const Kernels table = {
    lidar_worlds<kNativeWidth>,
    rigid_tick,
    picture_worlds<kNativeWidth>,
    kNativeWidth,
};

}  // namespace MINICOSM_ISA
}  // namespace minicosm
