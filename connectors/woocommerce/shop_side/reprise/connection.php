<?php
/**
 * Filled in by your Reprise when you download the plugin from its connect page. Where it is not, the same four values
 * are typed under WooCommerce > Settings > Integration > Reprise.
 *
 * @package Reprise
 */

defined( 'ABSPATH' ) || exit;

return array(
	'house'  => '@@HOUSE@@',
	'shop'   => '@@SHOP@@',
	'hook'   => '@@HOOK@@',
	'secret' => '@@SECRET@@',
);
