<?php
/**
 * Filled in by your Reprise when you download the plugin from its connect page. What is not filled in is typed under
 * WooCommerce > Settings > Integration > Reprise.
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
